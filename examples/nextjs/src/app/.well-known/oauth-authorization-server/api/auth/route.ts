import { auth } from '@/lib/auth';

/** Where MCP clients look for the endpoints of Better Auth, whose address has a path (RFC 8414, section 3.1). */
export async function GET(request: Request): Promise<Response> {
  return (await auth()).handler(request);
}
