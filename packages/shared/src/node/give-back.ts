/** Memory of big buffers goes back at once: the collector lets more than 64 MiB of it pile up before it looks. */

/** The bytes are gone for everybody who holds them. A buffer that shares its memory with others is left alone. */
export function giveBack(bytes: Uint8Array): void {
  const { buffer } = bytes
  if (buffer instanceof ArrayBuffer && !buffer.detached && buffer.byteLength === bytes.byteLength) buffer.transfer(0)
}
