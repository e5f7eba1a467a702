export { type AppOptions, createApp } from './app.js';
export type { Refusal } from './authenticate.js';
export { type Config, ConfigError, loadConfig, loadEnvironment } from './config.js';
export { createContainer, type Foundations, parts } from './container.js';
export { createLogger } from './logger.js';
export {
  createMetrics,
  listenForMetrics,
  type Metrics,
  type MetricsOptions,
  type MetricsServer,
  type PoolState,
} from './metrics.js';
export { type OpenApiDocument, type OperationObject, openApiDocument } from './openapi/document.js';
export type { AnsweredRequest, RequestLogOptions } from './request-log.js';
export { type OpenDatabase, openDatabase, type Service, serve } from './serve.js';
export { listen, type RunningServer, type ServerOptions } from './server.js';
export { taskRoutes } from './task-routes.js';
