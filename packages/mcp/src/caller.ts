import type { JournalUseCases, RecoveryUseCases, TaskUseCases } from '@todo-backend/application';
import type { UserId } from '@todo-backend/domain';

/** Who calls a tool. It comes from a token that the host has verified, never from what a model says. */
export interface Caller {
  /** Whose tasks these are. */
  readonly userId: UserId;
  /** The agent that acts for the user: the actor of its changes in the journal. */
  readonly agentId: string;
}

/** A caller, and one call of theirs. */
export interface Identity extends Caller {
  /** What the changes of the call belong to, for the journal, and for undoing them. */
  readonly changeId: string;
}

/** The use cases that the tools call. */
export interface McpParts {
  readonly tasks: TaskUseCases;
  readonly journal: JournalUseCases;
  readonly recovery: RecoveryUseCases;
  /** The version that the server tells of itself. */
  readonly version: string;
  /** Called with errors that nobody expected, for the log. The agent gets a sentence without details. */
  readonly onError?: ((error: unknown, changeId?: string) => void) | undefined;
}

/** One call of a tool. */
export interface Call extends Identity, Pick<McpParts, 'tasks' | 'journal' | 'recovery'> {}
