import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An IPv6 address counts as its /64, which usually belongs to one client. Other names from a proxy are kept. */
export function addressKey(text: string): string {
  if (isIPv4(text)) return text;
  if (!ipaddr.isValid(text)) return text;
  const address = ipaddr.process(text);
  return address.kind() === 'ipv6' ? address.toNormalizedString().split(':').slice(0, 4).join(':') : address.toString();
}
