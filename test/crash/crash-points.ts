/** What a kill has to happen inside of, at least once in a run that proves anything. */
export type KillClass =
  | 'append'
  | 'sync'
  | 'publish'
  | 'commit'
  | 'restore'
  | 'mkdir'
  | 'unlink'
  | 'directory sync'
  | 'read'
  | 'list'

export const requiredClasses: readonly KillClass[] = ['append', 'sync', 'publish', 'commit', 'restore']

/** A point as `MILLRACE_CRASH_AT` names it, with its occurrence left open. */
export interface CrashPlace {
  readonly operation: string
  readonly pathPart: string
  readonly phases: readonly ('before' | 'after' | 'partial')[]
  readonly killClass: KillClass
  /** The occurrences worth a try; the first ones come soon after the start. */
  readonly occurrences: readonly number[]
}

const around = ['before', 'after'] as const
const early = [1, 2, 5, 13]
const first = [1]

/** Every kind of file operation of a running and of a starting job. */
export const crashPlaces: readonly CrashPlace[] = [
  place('append', '/archive/.ip-', ['partial', 'before', 'after'], 'append', early),
  place('sync', '/archive/.ip-', around, 'sync', early),
  place('rename', '/ck-', around, 'publish', [1, 2, 4]),
  place('link', '/archive/part-', around, 'commit', early),
  place('append', '/tmp-ck-', ['partial', 'before', 'after'], 'append', [1, 2, 4]),
  place('sync', '/tmp-ck-', around, 'sync', [1, 2, 4]),
  place('rename', '.sealed', around, 'restore', first),
  place('unlink', '/archive/.ip-', around, 'commit', early),
  place('append', '.part', ['partial', 'before', 'after'], 'append', early),
  place('sync', '.part', around, 'sync', early),
  place('syncDirectory', '/archive', around, 'directory sync', early),
  place('link', '/counts/', around, 'commit', early),
  place('link', '.part', around, 'restore', [1, 2, 4]),
  place('mkdir', '/checkpoints/g0', around, 'mkdir', first),
  place('append', '/counts/', ['partial', 'before', 'after'], 'append', early),
  place('unlink', '/ck-', around, 'unlink', [1, 2, 5]),
  place('syncDirectory', '/checkpoints/g0', around, 'directory sync', [1, 2, 4]),
  place('append', '/owner', ['partial', 'before', 'after'], 'restore', first),
  place('syncDirectory', '/counts', around, 'directory sync', [1, 2, 5]),
  place('read', '/ck-', around, 'restore', [1, 2]),
  place('rmdir', '/checkpoints/g0', around, 'unlink', first),
  place('list', '/checkpoints', around, 'list', [1, 2, 4]),
  place('read', '/input-', around, 'read', [1, 5, 20]),
  place('create', '/archive/.ip-', around, 'append', early),
  place('mkdir', 'bucket=', around, 'mkdir', [1, 2, 3]),
]

function place(
  operation: string,
  pathPart: string,
  phases: CrashPlace['phases'],
  killClass: KillClass,
  occurrences: readonly number[],
): CrashPlace {
  return { operation, pathPart, phases, killClass, occurrences }
}
