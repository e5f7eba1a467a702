export { type AppOptions, createApp } from './app.js';
export { type Config, ConfigError, EnvironmentSchema, loadConfig, loadEnvironment, withFiles } from './host/config.js';
export { createContainer, type Foundations, type Parts } from './host/container.js';
export { createLogger } from './host/logger.js';
export {
  createMetrics,
  listenForMetrics,
  type Metrics,
  type MetricsOptions,
  type MetricsServer,
} from './host/metrics.js';
export { type OpenDatabase, openDatabase, type ServeOptions, type Service, serve } from './host/serve.js';
export { listen, type RunningServer, type ServerOptions } from './host/server.js';
export type { Refusal } from './middleware/authenticate.js';
export { LiveStreams } from './middleware/live-streams.js';
export type { AnsweredRequest, RequestLogOptions } from './middleware/request-log.js';
export { type OpenApiDocument, type OperationObject, openApiDocument } from './openapi/document.js';
export { routes } from './routes/index.js';
export type { Route, RouteParts } from './routes/route.js';
