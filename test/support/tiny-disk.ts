/** A real file system of a few MiB, to be filled up. Needs the right to mount: elsewhere its tests are skipped, and say so. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, test } from 'vitest'

function mount(dir: string, mib: number): boolean {
  return mountAs(dir, 'tmpfs', '-o', `size=${mib}m`)
}

function mountAs(dir: string, type: string, ...options: readonly string[]): boolean {
  return spawnSync('mount', ['-t', type, ...options, 'cis490-test', dir]).status === 0
}

function mayMount(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-mount-'))
  const may = mount(dir, 1)
  if (may) spawnSync('umount', ['-l', dir])
  rmdirSync(dir)
  if (!may) process.stderr.write('SKIPPED: no right to mount a file system here; tests on a full disk do not run\n')
  return may
}

/** `test` where a file system may be mounted, else `test.skip`. */
export const testOnTinyDisk = mayMount() ? test : test.skip

/** @returns where it is mounted; gone with the test */
export function tinyDisk(mib: number): string {
  return mounted((dir) => mount(dir, mib))
}

/** One that writes nothing past the page cache, because it is nothing else. @returns where it is mounted; gone with the test */
export function ramDisk(): string {
  return mounted((dir) => mountAs(dir, 'ramfs'))
}

function mounted(by: (dir: string) => boolean): string {
  const dir = mkdtempSync(join(tmpdir(), 'cis490-disk-'))
  if (!by(dir)) throw new Error(`cannot mount a file system at ${dir}`)
  onTestFinished(() => {
    spawnSync('umount', ['-l', dir])
    rmdirSync(dir)
  })
  return dir
}

/** Writes until not one byte more goes on. @returns takes the filling out again */
export function fillUp(dir: string): () => void {
  const path = join(dir, 'filling')
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4096, 1)
  try {
    for (;;) writeSync(file, page)
  } catch {
    // Full, as wanted.
  } finally {
    closeSync(file)
  }
  if (statfsSync(dir).bavail > 0) throw new Error(`${dir} is not full`)
  return () => unlinkSync(path)
}
