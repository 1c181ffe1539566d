/** 1, 'row' -> "1 row"; 2, 'entry', 'entries' -> "2 entries" */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
