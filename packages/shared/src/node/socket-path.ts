/** Unix sockets below deep folders: the kernel takes 107 bytes of path, no more. */
import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'

const most = 107

export interface SocketPath extends Disposable {
  /** What to listen on or to connect to; good until disposed. */
  readonly path: string
}

/** A long path goes by an open descriptor of its folder. @throws the system's error when the folder is not there */
export function socketPath(path: string): SocketPath {
  if (Buffer.byteLength(path) <= most) return { path, [Symbol.dispose]: () => undefined }
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, [Symbol.dispose]: () => closeSync(folder) }
}
