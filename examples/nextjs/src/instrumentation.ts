/** Runs once, before the first request: a problem is seen at the start, and not by the first visitor. */
export async function register() {
  if (process.env.NEXT_RUNTIME === 'nodejs') {
    const { auth } = await import('./lib/auth');
    await auth().catch((error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exit(1);
    });
  }
}
