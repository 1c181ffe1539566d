import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { makeAgentHome, recordEpisode } from '../support/agent-home.ts'
import { Lab } from '../support/lab.ts'
import { Program } from '../support/program.ts'
import { hasServiceManager, ManagerSocket } from '../support/service-manager.ts'

describe.skipIf(!hasServiceManager)('under a service manager (systemd-notify, python3)', () => {
  test('the receiver is ready when it listens, well while its store is there, and says that it stops', async () => {
    await using socket = await ManagerSocket.listen()
    await using lab = await Lab.make()
    const { url, program } = await lab.startReceiverProgram('', watchedBy(socket))
    expect(await socket.message('READY=1')).toMatch(
      new RegExp(`^READY=1\nWATCHDOG=1\nSTATUS=${url}: 0 bodies on 0 connections; version gate \\d+ s old; .* free$`),
    )
    await rename(lab.path('store', 'index.jsonl'), lab.path('store', 'index.jsonl.away'))
    expect(await socket.message('ENOENT')).not.toContain('WATCHDOG=1')
    const unwell = socket.heard.length
    await rename(lab.path('store', 'index.jsonl.away'), lab.path('store', 'index.jsonl'))
    await socket.message('WATCHDOG=1', unwell)
    program.kill('SIGINT')
    await socket.message('STOPPING=1')
    expect((await program.ended).code).toBe(0)
  })

  test('the agent is ready after its first look, well while its outbox is there, and says that it stops', async () => {
    await using socket = await ManagerSocket.listen()
    const home = makeAgentHome('[host]\nname = "lab-07"\n[quota]\nreserve = "0"\n')
    recordEpisode(home, 'run-1')
    await using agent = new Program('agent', ['run', '--config', home.config], watchedBy(socket))
    expect(await socket.message('READY=1')).toMatch(/^READY=1\nWATCHDOG=1\nSTATUS=lab-07: outbox: \d ready, 0 gated/)
    await rename(home.outbox, join(home.root, 'away'))
    expect(await socket.message('ENOENT')).not.toContain('WATCHDOG=1')
    const unwell = socket.heard.length
    await rename(join(home.root, 'away'), home.outbox)
    await socket.message('WATCHDOG=1', unwell)
    agent.kill('SIGTERM')
    await socket.message('STOPPING=1')
    expect((await agent.ended).code).toBe(0)
  })
})

/** Watched so closely that a word comes five times a second. */
function watchedBy(socket: ManagerSocket): NodeJS.ProcessEnv {
  return { NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '600000' }
}
