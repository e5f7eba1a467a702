/** The state of a system that is ready. */
export interface Readiness {
  /** Whether row level security is active, so that the database itself isolates users. */
  readonly rowSecurity: boolean;
  /**
   * Whether there are public keys to check tokens with: `none` before the auth server has made its first, `unreachable`
   * where the next attempt may succeed. Missing where tokens are checked with a secret only.
   */
  readonly keys?: 'loaded' | 'none' | 'unreachable';
}

/** Tells whether the system is ready to serve. */
export interface ReadinessProbe {
  /** Resolves when the database answers and its schema is up to date; rejects with `UnavailableError` otherwise. */
  check(): Promise<Readiness>;
}
