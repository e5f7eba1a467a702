/** Codes of errors of connecting. */
const NETWORK = /^E(?:CONNREFUSED|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH)$/;

/** Codes of errors of TLS, most of them about certificates. */
const TLS = /^(?:ERR_TLS_.*|ERR_SSL_.*|CERT_.*|.*_CERT(?:_.*)?|UNABLE_TO_.*)$/;

/** Whether an error of this code means that no connection could be made: nothing was sent. */
export function isUnreachable(code: string): boolean {
  return NETWORK.test(code) || isTlsProblem(code);
}

/** Whether an error of this code means that TLS could not be set up with whoever answered. */
export function isTlsProblem(code: string): boolean {
  return TLS.test(code);
}
