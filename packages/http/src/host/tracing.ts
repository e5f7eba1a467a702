import { register } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Attributes,
  context,
  DiagLogLevel,
  diag,
  propagation,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { getRPCMetadata, setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { KoaInstrumentation, KoaLayerType, type KoaRequestInfo } from '@opentelemetry/instrumentation-koa';
import { PgInstrumentation, type PgRequestHookInformation } from '@opentelemetry/instrumentation-pg';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { routeOf } from '../middleware/request-log.js';
import { version } from '../version.js';
import type { Config } from './config.js';
import { createLogger } from './logger.js';

/** Running tracing. */
export interface Tracing {
  /** The id of the trace being recorded, if any. */
  activeTraceId(): string | undefined;
  /** Sends the remaining spans. */
  close(): Promise<void>;
}

/** Maximum milliseconds to send the last spans. */
const CLOSE_TIMEOUT = 1_000;

/** Polled frequently by infrastructure. */
const UNTRACED = new Set(['/health', '/ready', '/metrics']);

/**
 * Attributes that the instrumentation copies from the request, removed because they may be personal data: the path has
 * the user id, the query the search text. The route template is set with the response.
 */
const CLIENT_ATTRIBUTES: Attributes = {
  'url.path': undefined,
  'url.query': undefined,
  'user_agent.original': undefined,
  'client.address': undefined,
  'network.peer.address': undefined,
  'network.peer.port': undefined,
  'server.address': undefined,
  'server.port': undefined,
};

/** Removes error messages, because PostgreSQL's may quote a value. The log has them under the same trace id. */
const withoutMessages: SpanProcessor = {
  onStart() {},
  onEnding(span) {
    if (span.status.message !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    for (const { attributes } of span.events) {
      delete attributes?.['exception.message'];
      delete attributes?.['exception.stacktrace'];
    }
  },
  onEnd() {},
  forceFlush: async () => {},
  shutdown: async () => {},
};

/**
 * Traces requests through http, Koa and pg. Call it once per process, before any of the three is loaded.
 *
 * @param collector the base URL of the OTLP/HTTP collector that spans are sent to
 */
export async function startTracing(collector: string, config: Pick<Config, 'logLevel'>): Promise<Tracing> {
  const logger = await createLogger(config);
  const problem = (message: string) => logger.warn({ problem: message }, 'tracing');
  const silent = () => {};
  diag.setLogger(
    { error: problem, warn: problem, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN },
  );
  const unsent = (err: unknown) => logger.warn({ err }, 'could not send traces');
  setGlobalErrorHandler(unsent);

  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'todo-backend', 'service.version': version }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [
      withoutMessages,
      new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url: `${collector}/v1/traces` }) }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);

  // Only these are imported; modules loaded with `require` (http by Koa, parts of pg) need no hook.
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url, { data: { include: ['koa', 'pg'] } });
  registerInstrumentations({
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: ({ url }) => UNTRACED.has(url ?? ''),
        startIncomingSpanHook: () => CLIENT_ATTRIBUTES,
        disableOutgoingRequestInstrumentation: true,
      }),
      new KoaInstrumentation({ ignoreLayersType: [KoaLayerType.MIDDLEWARE], requestHook: nameRoute }),
      new PgInstrumentation({ requireParentSpan: true, requestHook: nameStatement }),
    ],
  });

  return {
    activeTraceId: () => trace.getActiveSpan()?.spanContext().traceId,
    async close() {
      const late = sleep(CLOSE_TIMEOUT).then(() => {
        throw new Error(`The last traces were not taken within ${CLOSE_TIMEOUT} ms.`);
      });
      await Promise.race([provider.shutdown(), late]).catch(unsent);
    },
  };
}

/** Names the span of the whole request after the route too. */
function nameRoute(span: Span, { context: ctx }: KoaRequestInfo): void {
  const route = routeOf(ctx);
  if (route === undefined) return;
  span.setAttribute('http.route', route);
  const request = getRPCMetadata(context.active());
  if (request) request.route = route;
}

/** Names a statement by its operation, because the name of a prepared statement is meaningless and varies. */
function nameStatement(span: Span, { query, connection }: PgRequestHookInformation): void {
  const [command = ''] = /\w+/.exec(query.text) ?? [];
  span.updateName(`pg.query:${command.toUpperCase()} ${connection.database}`);
}
