declare module 'swagger-ui-dist/absolute-path.js' {
  /** The directory of the files. */
  export default function absolutePath(): string;
}
