/** The state of a system that is ready. */
export interface Readiness {
  /** Whether row level security is active: the database itself keeps the tasks of users apart. */
  readonly rowSecurity: boolean;
}

/** Tells whether the system is ready to serve. */
export interface ReadinessProbe {
  /** Resolves when the database answers and its schema is up to date; rejects with `UnavailableError` otherwise. */
  check(): Promise<Readiness>;
}
