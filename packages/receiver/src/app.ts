/** The receiver wired up, in one straight line; teardown is the reverse. */
import { statfsSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { UserError } from '@cis490/shared/node/cli.ts'
import { readSecret } from '@cis490/shared/node/config-file.ts'
import type { Logger } from '@cis490/shared/node/log.ts'
import type { SelfLook } from '@cis490/shared/self-look.ts'
import { loadDecoder } from './archive/small-head.ts'
import { Bundles } from './bundles/bundles.ts'
import type { ReceiverConfig } from './config.ts'
import { VersionGate } from './forge/version-gate.ts'
import { listenForOperator, operatorFor } from './http/admin-socket.ts'
import { BearerCheck } from './http/bearer.ts'
import { ConnectionsPerHost } from './http/connections-per-host.ts'
import { closeListener, listenOn, secureOptions } from './http/listener.ts'
import { Metrics } from './http/metrics.ts'
import { type Peer, PeerCheck } from './http/peer.ts'
import { UploadsRunning } from './http/uploads-running.ts'
import { expireUploads } from './jobs/expire-uploads.ts'
import { connectionsOfHosts, makeListeners } from './listeners.ts'
import { lookAtSelf } from './look-at-self.ts'
import { checkExposure, peerOptions, readTls, reloadEach } from './material.ts'
import { prepareCa } from './open-ca.ts'
import { openHeartbeats } from './open-heartbeats.ts'
import { makeStateDir, openEpisodes, openHashing, openUploads, recoverStore } from './open-store.ts'
import { ReceiptSigner } from './receipts/signer.ts'
import { bundlesRoute } from './routes/bundles.ts'
import { dispatcher, shuttingDown } from './routes/dispatch.ts'
import { type EpisodesPorts, episodesRoute } from './routes/episodes.ts'
import { estRoute } from './routes/est.ts'
import { putReportRoute } from './routes/put-report.ts'
import { opsRoutes, receiverRoutes, type SmallPorts } from './routes/small.ts'
import { type UploadsPorts, uploadsRoute } from './routes/uploads.ts'
import { EventLog } from './store/event-log.ts'
import { IndexLog } from './store/index-log.ts'
import { knownStore } from './store/known.ts'
import { StoreLayout } from './store/layout.ts'
import { RejectLog } from './store/reject-log.ts'
import { Reports } from './store/reports.ts'
import { lockStoreSoon } from './store/store-lock.ts'

/** How long a load balancer gets to see that this receiver is going. */
const lameDuckMs = 2000

/** What cut bodies get to become durable and be answered, on a busy disk too. */
const lastAnswersMs = 4000

export interface Receiver {
  readonly url: string
  readonly opsUrl: string
  /** Resolves with the reason when the store is in doubt and the process has to be started anew. */
  readonly failed: Promise<unknown>
  /** How it is, for the service manager. Rejects, or never ends, where the store does not answer. */
  look(): Promise<SelfLook>
  /** Takes up changed certificates and keys, each file on its own. @throws ConfigError for those that stay as they were */
  reload(): void
  /** @param announce answer 503 for a moment before the listener closes */
  stop(announce: boolean): Promise<void>
}

/**
 * @param serves `operator`: the admin socket alone, for a command that does a receiver's work while none runs
 * @throws ConfigError, UserError, or the system's error for an address that cannot be had
 */
export async function startReceiver(
  config: ReceiverConfig,
  log: Logger,
  serves: 'hosts' | 'operator' = 'hosts',
): Promise<Receiver> {
  if (serves === 'hosts') checkExposure(config)
  const own = await prepareCa(config, serves === 'hosts', log)
  let tls = serves === 'hosts' ? readTls(config, Date.now()) : undefined
  const peers = new PeerCheck({ ...peerOptions(config), ...own.checks, log })
  const bearer = new BearerCheck(config.auth.token_files, log)
  const webhookFile = config.version_gate.webhook_secret_file
  const secret = webhookFile === '' ? undefined : readSecret(webhookFile, 'version_gate.webhook_secret_file')

  const signer = new ReceiptSigner(config.receipts.key_file)
  if (signer.warning) log.warn({ event: 'key-exposed', detail: signer.warning }, 'a secret is readable for others')

  await using stack = new AsyncDisposableStack()
  const layout = new StoreLayout(config.state_dir)
  await makeStateDir(config.state_dir)
  const lock = await lockStoreSoon(layout)
  if (!lock) throw new UserError(`another cis490-receiver works in ${config.state_dir}`)
  stack.use(lock)
  const index = stack.use(
    await IndexLog.open(layout.index, (torn) => log.warn({ bytes: torn.length }, 'torn last row of the index cut off')),
  )
  await recoverStore(layout, index, log)
  const hashes = stack.use(openHashing(log))
  void loadDecoder()
  const uploads = stack.use(await openUploads(layout, config.limits.upload_max_age, hashes, log))
  const rejects = stack.use(await RejectLog.open(layout.rejects))
  const reports = stack.use(await Reports.open(layout, log))
  const gate = stack.use(await VersionGate.start(config.version_gate, config.state_dir, log))
  if (serves === 'hosts') stack.use(await EventLog.open(layout))

  const state = { stopping: false, poisoned: false }
  const cut = new AbortController()
  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>()
  const freeBytes = () => {
    // Two numbers that the file system has at hand.
    const { bavail, bsize } = statfsSync(config.state_dir)
    return bavail * bsize
  }
  const running = new UploadsRunning()
  const stopping = () => state.stopping || state.poisoned
  const ready = () => gate.ready() && !stopping()
  const ofHosts = connectionsOfHosts(config, log)
  const metrics = new Metrics({
    connections: () => ofHosts.open,
    bodies: () => running.bodies,
    openUploads: () => uploads.open,
    reservedBytes: () => uploads.reserved(Date.now()),
    gateAgeS: () => gate.status().age_s ?? undefined,
    gateSize: () => gate.status().size,
    freeBytes,
    ready,
    certificateEnd: () => tls?.endsAt,
  })
  const { directives_file: directivesFile } = config.version_gate
  const head = () => gate.status().head ?? undefined
  const heartbeats = stack.use(await openHeartbeats(layout, { ...config.update, directivesFile, head, metrics, log }))
  stack.use(expireUploads(uploads, metrics, log))
  const connections = new ConnectionsPerHost(config.limits.connections_per_host)
  const authenticate = (request: IncomingMessage, grace: boolean): Peer => {
    const peer = peers.identify(request, { now: Date.now(), grace })
    bearer.check(request)
    if (peer.host !== undefined && peer.via === 'certificate') connections.note(peer.host, request.socket)
    return peer
  }
  const openToAll = (peer: Peer) => peer.reader || peer.via === 'none' || peer.via === 'header'
  const operator = (request: IncomingMessage): Peer => ({ reader: true, remote: request.socket.remoteAddress ?? '', via: 'none' })

  const episodes: EpisodesPorts & UploadsPorts = {
    limits: { ...config.limits, max_episode_size: config.max_episode_size },
    drain: config.limits,
    inspectMode: config.ingest.inspect,
    gateWindow: config.version_gate.window,
    incomingFolder: layout.incoming,
    hashes,
    episodes: stack.use(openEpisodes(layout, log)),
    index,
    running,
    uploads,
    metrics,
    log,
    cut: cut.signal,
    allow: ['GET', 'HEAD', 'PUT', 'OPTIONS'],
    askGate: (stamp, host) => gate.ask({ stamp, host }),
    askGateAgain: (stamp, host) => gate.askAgain(stamp, host),
    freeBytes,
    sign: (text) => signer.sign(text),
    poison: (error) => {
      state.poisoned = true
      fail(error)
    },
    inDoubt: () => (state.poisoned ? shuttingDown() : undefined),
    admitConnection: (peer, socket) => {
      if (peer.host !== undefined && peer.via === 'certificate') connections.admit(peer.host, socket)
    },
    authenticate: (request) => authenticate(request, false),
    unavailable: () => (stopping() ? shuttingDown() : undefined),
    readsAll: openToAll,
    recordRejection: (row) => rejects.append(row),
  }
  const small: SmallPorts = {
    reports,
    limits: config.limits,
    gate,
    stored: knownStore(layout, log),
    log,
    authenticate,
    readsAll: openToAll,
    receiptKeys: () => signer.keys(),
    counted: heartbeats.reported,
    heartbeats,
    rollout: heartbeats.rollout,
  }
  const notReady = () => [
    ...(gate.ready() ? [] : ['the version gate has no commit set']),
    ...(state.stopping ? ['shutting down'] : []),
    ...(state.poisoned ? ['the store is in doubt'] : []),
  ]
  const hook = { secret, limits: config.limits, refresh: () => void gate.refreshNow() }
  const opsApp = opsRoutes({ ...small, authenticate: operator, readsAll: () => true }, { metrics, hook, notReady })
  const forOperator = { authenticate: operator, unavailable: () => undefined, readsAll: () => true }
  const opsEpisodes: EpisodesPorts = { ...episodes, ...forOperator, allow: ['GET', 'HEAD'] }
  const adminEpisodes: EpisodesPorts = { ...episodes, authenticate: operatorFor, readsAll: () => true }
  const common = { log, drain: config.limits }
  const reportRoute = putReportRoute({ ...small, ...common, unavailable: episodes.unavailable })
  const certified = (request: IncomingMessage) => peers.identify(request, { now: Date.now(), grace: true })
  const est = estRoute({ ...common, metrics, limits: config.limits, unavailable: episodes.unavailable, ca: own.ca, certified })
  const bundles = bundlesRoute({ ...episodes, bundles: new Bundles(config.state_dir) })
  const raw = [episodesRoute(episodes), uploadsRoute(episodes), reportRoute, est, bundles]
  const handle = dispatcher(raw, receiverRoutes(small), { ...common, unavailable: episodes.unavailable })
  const handleOps = dispatcher([episodesRoute(opsEpisodes)], opsApp, { ...common, unavailable: () => undefined })
  const handleAdmin = dispatcher([episodesRoute(adminEpisodes)], opsApp, { ...common, unavailable: () => undefined })
  const handlers = { hosts: handle, ops: handleOps, admin: handleAdmin }
  const { server, ops, admin } = makeListeners(config, handlers, { connections: ofHosts, metrics, tls, log })
  const takeUpTls = () => {
    tls = readTls(config, Date.now())
    if (tls && 'setSecureContext' in server) server.setSecureContext(secureOptions(tls))
  }
  const takeUpClientCa = () => {
    const clientCa = peerOptions(config).clientCaPem
    if (clientCa !== undefined) peers.setClientCa(clientCa)
  }
  stack.use(await own.open(() => reloadEach([takeUpTls, takeUpClientCa])))
  stack.defer(() => closeListener(admin, 0))
  await listenForOperator(admin, layout.admin, log)
  const open = async (listener: 'receiver' | 'ops', made: typeof server, address: string, key: string, scheme: string) => {
    if (serves === 'operator') return ''
    const url = `${scheme}://${await listenOn(made, address, key)}`
    stack.defer(() => closeListener(made, 0))
    log.info({ event: 'listening', listener, url }, 'listening')
    return url
  }
  const url = await open('receiver', server, config.listen, 'listen', tls ? 'https' : 'http')
  const opsUrl = await open('ops', ops, config.ops_listen, 'ops_listen', 'http')

  const owned = stack.move()
  return {
    url,
    opsUrl,
    failed,
    look: () =>
      lookAtSelf({
        storeFile: layout.index,
        inDoubt: state.poisoned,
        url,
        connections: ofHosts.open,
        bodies: running.bodies,
        gateAge: gate.status().age_s,
        freeBytes,
      }),
    reload: () => {
      reloadEach([takeUpTls, takeUpClientCa, () => signer.reload()])
    },
    stop: async (announce) => {
      state.stopping = true
      if (announce) await new Promise((resolve) => setTimeout(resolve, lameDuckMs))
      const deadline = setTimeout(() => cut.abort(shuttingDown()), config.drain)
      await Promise.all([server, admin].map((one) => closeListener(one, config.drain + lastAnswersMs)))
      clearTimeout(deadline)
      // Whose connection is gone may be in the midst of publishing: nobody else may have the store before that is over.
      await running.idle()
      await owned.disposeAsync()
    },
  }
}
