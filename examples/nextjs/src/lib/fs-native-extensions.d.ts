declare module 'fs-native-extensions' {
  /** Takes an exclusive lock on an open file. Returns `false` when somebody else holds one. */
  export function tryLock(fd: number): boolean;
}
