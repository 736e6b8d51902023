/**
 * The shortest part of `items`, in their order, that still fails: delta debugging. No single item of the result can be
 * left out. `fails` is called about n log n times, with parts it has not seen before.
 * @throws Error when the whole does not fail: then there is nothing to shrink.
 */
export const shrink = async <T>(
  items: readonly T[],
  fails: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> => {
  if (!(await fails(items))) throw new Error('the whole does not fail, so no part of it can be the reason')
  if (items.length > 0 && (await fails([]))) return []
  let left = items
  let pieces = 2
  while (left.length > 1) {
    const size = Math.ceil(left.length / pieces)
    const smaller = await firstFailing(left, size, fails)
    if (smaller !== undefined) {
      left = smaller
      pieces = Math.max(2, pieces - 1)
    } else if (size === 1) {
      break
    } else {
      pieces = Math.min(left.length, pieces * 2)
    }
  }
  return left
}

/** Leaves out one piece after another; the first rest that still fails. */
const firstFailing = async <T>(
  items: readonly T[],
  size: number,
  fails: (part: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | undefined> => {
  for (let start = 0; start < items.length; start += size) {
    const rest = [...items.slice(0, start), ...items.slice(start + size)]
    // The empty part was asked for once, at the start.
    if (rest.length > 0 && (await fails(rest))) return rest
  }
  return undefined
}
