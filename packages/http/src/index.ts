export { type AppOptions, createApp } from './app.js';
export { authenticate } from './authenticate.js';
export { type Config, ConfigError, loadConfig, loadEnvironment } from './config.js';
export { createContainer, type Foundations, parts } from './container.js';
export { type OpenDatabase, openDatabase, type Service, serve } from './serve.js';
export { listen, type RunningServer, type ServerOptions } from './server.js';
export { taskRoutes } from './task-routes.js';
