import { TodoError } from '@todo-backend/domain';

/** An error of a request that is refused before any use case runs. */
export class RequestError extends TodoError {
  readonly code:
    | 'MALFORMED_REQUEST'
    | 'FORBIDDEN'
    | 'ROUTE_NOT_FOUND'
    | 'METHOD_NOT_ALLOWED'
    | 'REQUEST_TIMEOUT'
    | 'BODY_TOO_LARGE'
    | 'UNSUPPORTED_MEDIA_TYPE'
    | 'HEADERS_TOO_LARGE'
    | 'RATE_LIMITED';

  constructor(code: RequestError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
