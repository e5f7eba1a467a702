/** Makes a new, unique, time-ordered id (UUID version 7, RFC 9562). */
export type IdGenerator = () => string;
