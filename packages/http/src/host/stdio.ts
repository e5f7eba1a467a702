import { once } from 'node:events';
import { UnauthenticatedError } from '@todo-backend/application';
import { version } from '../version.js';
import { type Config, ConfigError } from './config.js';
import { createContainer } from './container.js';
import { createLogger } from './logger.js';
import { openDatabase, prepare, withSecret } from './serve.js';

/** The actor in the journal of what agents do over the standard input: their own names are not verified. */
const AGENT_ID = 'stdio';

/**
 * Serves the tools for agents over the standard input and output, for the user of `MCP_TOKEN`, until the input ends.
 *
 * @throws ConfigError where there is no token, or it is not valid
 */
export async function serveStdio(given: Config): Promise<void> {
  const { mcpToken: token } = given;
  if (token === undefined) {
    throw new ConfigError(['MCP_TOKEN is missing: a token of the user whose tasks these are, as the API takes it']);
  }
  const config = await withSecret(given);
  // The standard output belongs to the protocol.
  const logger = await createLogger(config, process.stderr);
  const { database, close } = await openDatabase(config);
  try {
    await prepare(database, config, logger);
    const { tasks, journal, recovery, newId, tokens, feed } = createContainer({ config, logger, database });
    const identify = async () => ({ userId: await tokens.verify(token), agentId: AGENT_ID, changeId: newId() });
    await identify().catch((error) => {
      throw error instanceof UnauthenticatedError ? new ConfigError([`MCP_TOKEN is refused: ${error.message}`]) : error;
    });
    const { serveOverStdio } = await import('@todo-backend/mcp');
    const onError = (err: unknown, changeId?: string) => logger.error({ err, changeId }, 'a tool failed');
    const onBadMessage = (err: Error) => logger.warn({ err }, 'a message of the client is not valid');
    const server = serveOverStdio({ tasks, journal, recovery, version, onError }, identify, onBadMessage);
    await Promise.race([server.closed, once(process, 'SIGTERM'), once(process, 'SIGINT')]);
    await server.close();
    await feed.close?.();
  } finally {
    await close();
  }
}
