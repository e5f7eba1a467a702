import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { journalUseCases, recoveryUseCases, taskUseCases } from '@todo-backend/application';
import { fixedClock, InMemoryTaskRepository, sequentialIds } from '@todo-backend/application/testing';
import { todoMcpServer } from '@todo-backend/mcp';

/** What a tool answers: its structured content, or the text of its error. */
export interface ToolAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered; the tests say what it should be
  readonly output: any;
  readonly error: string | undefined;
  /** The whole result, as it came. */
  readonly result: Awaited<ReturnType<Client['callTool']>>;
}

/** Calls a tool. */
export type Use = (tool: string, input?: Record<string, unknown>) => Promise<ToolAnswer>;

/** The use cases in memory, and agents that use their tools. */
export function setUp(maxTasks?: number) {
  const repository = new InMemoryTaskRepository(undefined, maxTasks);
  const clock = fixedClock();
  const newId = sequentialIds();
  const ports = { tasks: repository, clock, newId };
  const errors: unknown[] = [];
  const parts = {
    tasks: taskUseCases(ports),
    journal: journalUseCases({ journal: repository }),
    recovery: recoveryUseCases({ ...ports, journal: repository, retentionDays: 90 }),
    version: '1.2.3',
    onError: (error: unknown) => errors.push(error),
  };
  return {
    ...parts,
    repository,
    clock,
    errors,
    /** The official client of an agent for a user. */
    async client(userId: string, agentId = 'agent-1', own: Partial<typeof parts> = {}): Promise<Client> {
      const identify = async () => ({ userId, agentId, changeId: newId() });
      const [server, client] = InMemoryTransport.createLinkedPair();
      await todoMcpServer({ ...parts, ...own }, identify).connect(server);
      const agent = new Client({ name: 'test', version: '1.0.0' });
      await agent.connect(client);
      return agent;
    },
    /** Calls tools as an agent of a user. */
    async agent(userId: string, agentId?: string, own?: Partial<typeof parts>): Promise<Use> {
      const client = await this.client(userId, agentId, own);
      return (tool, input = {}) => use(client, tool, input);
    },
  };
}

/** Calls a tool. */
export async function use(client: Client, tool: string, input: Record<string, unknown> = {}): Promise<ToolAnswer> {
  const result = await client.callTool({ name: tool, arguments: input });
  const [first] = result.content;
  const error = result.isError && first?.type === 'text' ? first.text : undefined;
  return { output: result.structuredContent, error, result };
}
