import { type TaskCounts, type TaskQuery, type TaskRepository, UserUnknownError } from '@todo-backend/application';
import type { Task, TaskId, UserId } from '@todo-backend/domain';
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely';
import type { Database } from './database.js';
import { selectTask, type Tables, toRow, toTask } from './task-row.js';

/** How to keep tasks. */
export interface SqlTaskRepositoryOptions {
  /** Put the owner of a task into the stand-in `user` table when they are first seen. */
  readonly standaloneUsers: boolean;
}

/** Tasks in PostgreSQL, on a server or embedded. */
export class SqlTaskRepository implements TaskRepository {
  readonly #database: Database;
  readonly #standaloneUsers: boolean;

  constructor(database: Database, { standaloneUsers }: SqlTaskRepositoryOptions) {
    this.#database = database;
    this.#standaloneUsers = standaloneUsers;
  }

  async list(owner: UserId, { status, priority, category, search, sortBy, sortOrder }: TaskQuery): Promise<Task[]> {
    const rows = await this.#database.statement((db) => {
      const query = asUser(db, owner, (tasks) => {
        let query = selectTask(tasks.where(this.ownedBy(owner)));
        if (status !== undefined) query = query.where('status', '=', status);
        if (priority !== undefined) query = query.where('priority', '=', priority);
        if (category !== undefined) query = query.where('category', '=', category);
        if (search !== undefined && search !== '') query = query.where(contains(search));
        if (sortBy !== 'createdAt') {
          const key = sortBy === 'title' ? sql`${caseFolded('title')} collate "C"` : sql.ref(`tasks.${sortBy}`);
          query = query.orderBy(key, (order) => (sortOrder === 'asc' ? order.asc() : order.desc()).nullsLast());
        }
        return query.orderBy('tasks.createdAt', sortOrder).orderBy('tasks.id', sortOrder);
      });
      return query.execute();
    });
    return rows.map(toTask);
  }

  async find(owner: UserId, id: TaskId): Promise<Task | undefined> {
    const row = await this.#database.statement((db) =>
      asUser(db, owner, (tasks) =>
        selectTask(tasks.where(this.ownedBy(owner)).where('tasks.id', '=', id)),
      ).executeTakeFirst(),
    );
    return row && toTask(row);
  }

  async add(task: Task): Promise<void> {
    await this.#database.transaction(task.userId, (db) =>
      (this.#standaloneUsers ? withStandInUser(db, task.userId) : db).insertInto('tasks').values(toRow(task)).execute(),
    );
  }

  async update(owner: UserId, id: TaskId, change: (task: Task) => Task): Promise<Task | undefined> {
    return this.#database.transaction(owner, async (db) => {
      const found = db.selectFrom('tasks').where(this.ownedBy(owner)).where('tasks.id', '=', id);
      const row = await selectTask(found).forUpdate().executeTakeFirst();
      if (row === undefined) return this.#missing(db, owner);
      const before = toTask(row);
      const after = change(before);
      if (after !== before) {
        await db.updateTable('tasks').set(toRow(after)).where(this.ownedBy(owner)).where('id', '=', id).execute();
      }
      return after;
    });
  }

  async remove(owner: UserId, id: TaskId): Promise<boolean> {
    return this.#database.transaction(owner, async (db) => {
      const found = db.deleteFrom('tasks').where(this.ownedBy(owner)).where('id', '=', id);
      const { numDeletedRows } = await found.executeTakeFirst();
      if (numDeletedRows === 0n) await this.#missing(db, owner);
      return numDeletedRows > 0n;
    });
  }

  async count(owner: UserId): Promise<TaskCounts> {
    return this.#database.statement((db) =>
      asUser(db, owner, (tasks) =>
        tasks
          .where(this.ownedBy(owner))
          .select([
            sql<number>`count(*)::int`.as('total'),
            sql<number>`(count(*) filter (where status = 'pending'))::int`.as('pending'),
            sql<number>`(count(*) filter (where status = 'completed'))::int`.as('completed'),
          ]),
      ).executeTakeFirstOrThrow(),
    );
  }

  /** The first wall, in every statement. Behind it PostgreSQL's row level security is the second. */
  protected ownedBy(owner: UserId) {
    return sql<boolean>`tasks."userId" = ${owner}`;
  }

  /** A write found no such task. Whether that is all, or its owner is gone as well, only the `user` table knows. */
  async #missing(db: Kysely<Tables>, owner: UserId): Promise<undefined> {
    if (this.#standaloneUsers) return undefined;
    const user = await db.selectFrom('user').where('id', '=', owner).select('id').executeTakeFirst();
    if (user === undefined) throw new UserUnknownError();
    return undefined;
  }
}

/**
 * A query on `tasks` that tells PostgreSQL in the same statement, and so in the same round trip, whose rows are all there
 * is. The lateral subquery refers to `me`, and `offset 0` keeps it a subquery: no plan can read a task before the
 * setting is made. Should one do so all the same, it finds no rows.
 */
function asUser<Output>(
  db: Kysely<Tables>,
  user: UserId,
  build: (tasks: SelectQueryBuilder<Tables, 'tasks', object>) => SelectQueryBuilder<Tables, 'tasks', Output>,
) {
  const setting = sql<{ id: string }>`(select set_config('app.user_id', ${user}, true) as id)`;
  const tasks = db.selectFrom('tasks').where(sql<boolean>`me.id is not null`);
  return db
    .with(
      (cte) => cte('me').materialized(),
      (db) => db.selectFrom(setting.as('setting')).selectAll(),
    )
    .selectFrom('me')
    .innerJoinLateral(build(tasks).offset(sql.lit(0)).as('found'), (join) => join.onTrue())
    .selectAll('found');
}

/** Puts a user into the stand-in table in the same statement; one that is there already stays as it is. */
function withStandInUser(db: Kysely<Tables>, id: UserId) {
  return db.with('stand_in', (cte) =>
    cte
      .insertInto('user')
      .values({ id, name: id, email: `${id}@standalone.invalid`, emailVerified: false })
      .onConflict((conflict) => conflict.doNothing()),
  );
}

/** `position`, not `like`: every character means itself. */
function contains(text: string) {
  const wanted = sql`upper(${text}::text collate "und-x-icu")`;
  return sql<boolean>`(position(${wanted} in ${caseFolded('title')}) > 0 or position(${wanted} in ${caseFolded('description')}) > 0)`;
}

/**
 * Upper case by the rules of Unicode, whatever the locale of the database: `É` and `é` are the same on all of them.
 * Upper, because lower case depends on the place in the word (the Greek sigma).
 */
function caseFolded(column: 'title' | 'description') {
  return sql`upper(${sql.ref(`tasks.${column}`)} collate "und-x-icu")`;
}
