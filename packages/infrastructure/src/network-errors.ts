/** Codes of errors of making a connection, TLS included. */
const UNREACHABLE =
  /^(?:E(?:CONNREFUSED|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH)|ERR_TLS_.*|ERR_SSL_.*|CERT_.*|.*_CERT(?:_.*)?|UNABLE_TO_.*)$/;

/** Whether an error of this code means that no connection could be made: nothing was sent. */
export function isUnreachable(code: string): boolean {
  return UNREACHABLE.test(code);
}
