/** Bytes that count how often one of them is looked at: the work done on them, whatever the machine is doing. */
export const countedReads = (bytes: Uint8Array): { readonly bytes: Uint8Array; readonly reads: () => number } => {
  let reads = 0
  const counting = new Proxy(bytes, {
    get(target, name) {
      if (typeof name === 'string' && name >= '0' && name <= ':') reads++
      return Reflect.get(target, name, target) as unknown
    },
  })
  return { bytes: counting, reads: () => reads }
}
