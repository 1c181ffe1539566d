import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Presence } from '@cis490/shared/node/presence.ts'
import { ServiceManager, takeServiceManager } from '@cis490/shared/node/service-manager.ts'
import type { SelfLook } from '@cis490/shared/self-look.ts'
import { describe, expect, test, vi } from 'vitest'
import { capturedLog } from '../../../support/captured-log.ts'
import { hasServiceManager, ManagerSocket } from '../../../support/service-manager.ts'

const fine: SelfLook = { well: true, status: 'all is well' }

test('takes the words of the service manager out of the environment: children are not the service', () => {
  const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '180000000', WATCHDOG_PID: String(process.pid), HOME: '/root' }
  expect(takeServiceManager(capturedLog().log, env)?.watchdogMs).toBe(180_000)
  expect(env).toEqual({ HOME: '/root' })
})

test('is not watched where the watchdog waits for another process', () => {
  const env = { NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '180000000', WATCHDOG_PID: '1' }
  expect(takeServiceManager(capturedLog().log, env)?.watchdogMs).toBeUndefined()
})

test('without a service manager nothing is looked at', async () => {
  const { log } = capturedLog()
  const manager = takeServiceManager(log, { WATCHDOG_USEC: '1000' })
  expect(manager).toBeUndefined()
  let looks = 0
  const look = async () => {
    looks += 1
    return fine
  }
  await using presence = new Presence(manager, look, log)
  await presence.begin()
  expect(looks).toBe(0)
})

test('a machine without systemd-notify is told of once, and the daemon goes on', async () => {
  const { log, lines } = capturedLog()
  const empty = mkdtempSync(join(tmpdir(), 'cis490-no-tools-'))
  vi.stubEnv('PATH', empty)
  try {
    const manager = new ServiceManager(join(empty, 'notify'), undefined, log)
    await manager.tell('READY=1')
    await manager.tell('STOPPING=1')
  } finally {
    vi.unstubAllEnvs()
    rmSync(empty, { recursive: true })
  }
  expect(lines.map(({ event }) => event)).toEqual(['notify-failed'])
})

describe.skipIf(!hasServiceManager)('over a real socket (systemd-notify, python3)', () => {
  test('ready, fed, starved while unwell with the reason as status, fed again, stopping', async () => {
    const { log, lines } = capturedLog()
    await using socket = await ManagerSocket.listen()
    let look = async () => fine
    await using presence = new Presence(new ServiceManager(socket.path, 150, log), () => look(), log)
    await presence.begin()
    await socket.until((heard) => heard.length > 0)
    expect(socket.heard[0]).toBe('READY=1\nWATCHDOG=1\nSTATUS=all is well')

    look = async () => {
      throw new Error('the store is gone')
    }
    expect(await socket.message('gone')).toBe('STATUS=the store is gone')
    const starved = socket.heard.length
    look = async () => fine
    expect(await socket.message('WATCHDOG=1', starved)).toBe('WATCHDOG=1\nSTATUS=all is well')
    expect(lines.map(({ event }) => event)).toEqual(['unwell', 'well'])

    await presence.stop()
    expect(await socket.message('STOPPING=1')).toBe('STOPPING=1\nSTATUS=stopping')
  })

  test('a look that hangs, as on a dead disk, starves the watchdog and is not begun again', async () => {
    const { log } = capturedLog()
    await using socket = await ManagerSocket.listen()
    let looks = 0
    const hangs = () => {
      looks += 1
      return new Promise<never>(() => undefined)
    }
    await using presence = new Presence(new ServiceManager(socket.path, 90, log), hangs, log)
    await presence.begin()
    await socket.until((heard) => heard.length >= 3)
    expect(socket.heard.slice(0, 3)).toEqual([
      'READY=1\nSTATUS=no answer from the disk',
      'STATUS=no answer from the disk',
      'STATUS=no answer from the disk',
    ])
    expect(looks).toBe(1)
  })

  test('what a status quotes makes no second word', async () => {
    const { log } = capturedLog()
    await using socket = await ManagerSocket.listen()
    await using presence = new Presence(
      new ServiceManager(socket.path, undefined, log),
      async () => ({ well: false, status: 'bad\nWATCHDOG=1' }),
      log,
    )
    await presence.begin()
    expect(await socket.message('STATUS')).toBe('READY=1\nSTATUS=badWATCHDOG=1')
  })
})
