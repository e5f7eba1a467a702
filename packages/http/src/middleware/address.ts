import type { IncomingMessage } from 'node:http';
import { isIPv4 } from 'node:net';
import parseForwarded from 'forwarded-parse';
import ipaddr from 'ipaddr.js';

/** The headers in which proxies tell whom they forward for: the usual one, and that of RFC 7239. */
export const PROXY_HEADERS = ['x-forwarded-for', 'forwarded'] as const;

/** The proxies in front of the server. */
export interface Proxies {
  /** How many there are, each of which appends an address. */
  readonly trustedProxies: number;
  /** The header that they append it to. Default `x-forwarded-for`. */
  readonly proxyHeader?: (typeof PROXY_HEADERS)[number] | undefined;
}

/** Everything that is no address. */
const UNKNOWN = 'unknown';

/** The address that a request comes from, as a key: that of the client, as the outermost trusted proxy has seen it. */
export function clientOf(
  request: IncomingMessage,
  { trustedProxies, proxyHeader = 'x-forwarded-for' }: Proxies,
): string {
  const own = request.socket.remoteAddress ?? UNKNOWN;
  if (trustedProxies === 0) return addressKey(own);
  const header = request.headers[proxyHeader];
  if (header === undefined || header === '') return addressKey(own);
  const chain = proxyHeader === 'forwarded' ? forwardedFor(String(header)) : String(header).split(',');
  return addressKey((chain.at(-trustedProxies) ?? chain[0] ?? UNKNOWN).trim());
}

function forwardedFor(header: string): string[] {
  try {
    return parseForwarded(header).map((element) => element.for ?? UNKNOWN);
  } catch {
    return [UNKNOWN];
  }
}

/**
 * An address without its port. One of IPv6 counts as its /64, which usually belongs to one client. What is no address is
 * {@link UNKNOWN}, so that made-up names evade nothing.
 */
export function addressKey(text: string): string {
  if (isIPv4(text)) return text;
  const [, bracketed, plain] = /^(?:\[([\da-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d{1,5})?$/i.exec(text) ?? [];
  const host = bracketed ?? plain ?? text;
  if (!ipaddr.isValid(host) || (!host.includes(':') && !isIPv4(host))) return UNKNOWN;
  const address = ipaddr.process(host);
  return address.kind() === 'ipv6' ? address.toNormalizedString().split(':').slice(0, 4).join(':') : address.toString();
}
