/**
 * What the runtime does about a failure.
 *
 * - `fix-program`: thrown before anything started, or for input no retry can mend; never retried.
 * - `retry`: the call is repeated with back-off; when the attempts run out, the job restarts.
 * - `restart`: back to the last completed checkpoint, within the restart strategy's budget.
 * - `stop`: the job ends; only a person can decide what happens next.
 */
export type Remedy = 'fix-program' | 'retry' | 'restart' | 'stop'

export interface ErrorRow {
  readonly class: string
  readonly remedy: Remedy
  /** Exit code of a process whose job ended with this error (reliability paper, section 2.2). */
  readonly exitCode: number
  readonly summary: string
  readonly fix: string
}

/** Every error of the library: code → class, remedy, exit code, meaning, and the fix when the thrower knows no better. */
export const errorTable = {
  OPTIONS_INVALID: {
    class: 'OptionsError',
    remedy: 'fix-program',
    exitCode: 2,
    summary: 'Options are unknown, of the wrong type or out of range.',
    fix: 'correct the options named in the message',
  },
  JOB_GRAPH_INVALID: {
    class: 'JobGraphError',
    remedy: 'fix-program',
    exitCode: 2,
    summary: 'The job as composed cannot run.',
    fix: 'change the job as the message says',
  },
  CHECKPOINT_CORRUPT: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A published checkpoint does not verify. It is never skipped for an older one.',
    fix: 'put the damaged file back from a copy, or restore an older checkpoint by id with allowRollback: true',
  },
  CHECKPOINT_NEWER: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A checkpoint was written by a newer version than this one can read.',
    fix: 'run the version that wrote it, or a newer one',
  },
  CHECKPOINT_FOREIGN: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'A checkpoint belongs to another job.',
    fix: 'give each job a checkpoint directory of its own',
  },
  CHECKPOINT_MISMATCH: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'The state in a checkpoint does not fit the job as it is composed now.',
    fix: "map the old name with renameState: { 'old': 'new' }, or accept the loss with dropState: ['old']",
  },
  CHECKPOINT_NOT_FOUND: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'The checkpoint to restore does not exist.',
    fix: "list the directory, then restore one of its ids, 'latest' or 'none'",
  },
  ROLLBACK_REFUSED: {
    class: 'RestoreError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'Restoring this checkpoint would write committed output again.',
    fix: 'remove the output listed in the message, then restore with allowRollback: true',
  },
  FENCED: {
    class: 'FencedError',
    remedy: 'stop',
    exitCode: 3,
    summary: 'A newer process owns the checkpoint directory; this one makes no more effects.',
    fix: 'nothing to do if the newer process is meant to run; otherwise stop it and start this one again',
  },
  DATA_LOSS: {
    class: 'DataLossError',
    remedy: 'stop',
    exitCode: 5,
    summary: 'Data that the job depends on is gone.',
    fix: 'accept the gap with the option the message names, or bring the data back',
  },
  SOURCE_UNAVAILABLE: {
    class: 'SourceError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'The source does not answer, or answers with a failure that may pass.',
    fix: 'see the cause; the call is repeated with back-off',
  },
  SOURCE_REFUSED: {
    class: 'SourceError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The source answers that the request can never succeed.',
    fix: 'see the cause: permission, name or address',
  },
  SINK_UNAVAILABLE: {
    class: 'SinkError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'The sink does not answer, or answers with a failure that may pass.',
    fix: 'see the cause; the job restarts from its last checkpoint',
  },
  SINK_REFUSED: {
    class: 'SinkError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The sink answers that a record or a request can never succeed.',
    fix: 'see the cause, and correct the record, the permission or the name',
  },
  CHECKPOINT_FAILED: {
    class: 'CheckpointError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'Too many checkpoints in a row failed or expired.',
    fix: 'see the cause of the last one; raise checkpoint.timeout if they only expired',
  },
  CHECKPOINT_DECLINED: {
    class: 'CheckpointError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'One checkpoint was given up; the next one tries again.',
    fix: 'see the cause',
  },
  STORAGE_FAILED: {
    class: 'StorageError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'A file operation failed.',
    fix: 'see the cause: free space, permission, or a missing directory',
  },
  STORAGE_REFUSED: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A directory cannot be used as it is.',
    fix: 'create it, or give the user of this process permission to read and write it',
  },
  RECORD_INVALID: {
    class: 'RecordError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A record cannot be read or does not fit its schema, and the policy of the step is to fail.',
    fix: "correct the record or the schema, or divert such records with onInvalid: 'skip' or 'dead-letter'",
  },
  STEP_FAILED: {
    class: 'StepError',
    remedy: 'restart',
    exitCode: 1,
    summary: "The user's function threw or rejected.",
    fix: 'see the cause',
  },
  STEP_MISUSED: {
    class: 'StepError',
    remedy: 'stop',
    exitCode: 1,
    summary: "The user's function returned something the step cannot use.",
    fix: 'return what the message asks for',
  },
  STEP_TIMED_OUT: {
    class: 'StepError',
    remedy: 'restart',
    exitCode: 1,
    summary: "The user's function did not finish in time.",
    fix: 'settle the promise, or raise the timeout of the step',
  },
  JOB_CANCELLED: {
    class: 'JobCancelledError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The job was cancelled.',
    fix: 'run it again; it resumes from its last checkpoint',
  },
  JOB_FAILED: {
    class: 'JobFailedError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The job failed and the restart strategy gave up.',
    fix: 'see the cause',
  },
  INVARIANT_BROKEN: {
    class: 'InvariantError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A defect in millrace. The job stops at once instead of writing a checkpoint of a confused state.',
    fix: 'report it with the message and the stack',
  },
  WIRE_MALFORMED: {
    class: 'WireError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'Bytes from the network are not what the protocol says: cut, damaged, or made by a broken program.',
    fix: 'fetch them again; when that does not help, correct the program that wrote them',
  },
  WIRE_LIMIT_EXCEEDED: {
    class: 'WireError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'Bytes from the network, or values to be sent, are more than the limit allows.',
    fix: 'send smaller groups, or raise the limit the message names',
  },
  LOG_STORE_UNAVAILABLE: {
    class: 'StorageError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'The disk of the log service refused a write; nothing of it was stored, and later writes may succeed.',
    fix: 'see the cause; the call can be repeated',
  },
  LOG_STORE_FAILED: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 1,
    summary:
      'The disk of the log service did not confirm a write. The service stores nothing more until it is restarted.',
    fix: 'check the disk, then restart the service: it reads again what the disk really holds',
  },
  LOG_STORE_CORRUPT: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 5,
    summary:
      'Stored data of the log service does not verify. What it touches is refused; nothing is guessed or skipped.',
    fix: 'put the file back from a copy, or copy what is good into a new directory with the salvage command',
  },
  LOG_STORE_NEWER: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 4,
    summary: 'The directory of the log service was written by a newer version than this one can read.',
    fix: 'run the version that wrote it, or a newer one',
  },
  LOG_STORE_CLOSED: {
    class: 'StorageError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'The log service is stopping and stores nothing more.',
    fix: 'repeat the call once the service runs again',
  },
  DIRECTORY_IN_USE: {
    class: 'StorageError',
    remedy: 'stop',
    exitCode: 3,
    summary: 'Another process works in the directory; there is one owner at a time.',
    fix: 'stop the other process, or name another directory',
  },
  WIRE_UNREPRESENTABLE: {
    class: 'WireError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A value to be sent cannot be written in the protocol.',
    fix: 'give times as whole seconds, nanoseconds below a billion, and field names and values as text',
  },
  RECORD_UNSENDABLE: {
    class: 'RecordError',
    remedy: 'stop',
    exitCode: 1,
    summary:
      'A record can never be sent: it is too large, or has a name, a value or a time that the sink does not take.',
    fix: "correct the record, or leave such records out with onRejected: 'skip'",
  },
  SEND_ABANDONED: {
    class: 'SinkError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'The sender was closed, or its deadline passed, before it was known whether a record is stored.',
    fix: 'send it again, or give close() a longer deadline',
  },
  LISTEN_FAILED: {
    class: 'ListenError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A server could not take its address.',
    fix: 'stop what holds the port, or name another one; port 0 takes any that is free',
  },
  SLS_THROTTLED: {
    class: 'SlsError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'A quota of the log service is used up. Nothing was done.',
    fix: 'wait, or split the shard, or raise the quota',
  },
  SLS_UNAVAILABLE: {
    class: 'SlsError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'The log service does not answer, or answers that it failed. Whether a write was done may not be known.',
    fix: 'see the cause; the call is repeated with back-off',
  },
  SLS_UNAUTHORIZED: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The log service does not accept the access key, the security token or the signature.',
    fix: 'check the access key, its secret, and the time for which the security token holds',
  },
  SLS_FORBIDDEN: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The access key has no right to do this.',
    fix: 'give its user the right, or use another access key',
  },
  SLS_CLOCK_SKEWED: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The time of this machine is too far from that of the log service, and could not be corrected.',
    fix: 'set the clock of this machine',
  },
  SLS_NOT_FOUND: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The project, logstore, shard or consumer group does not exist.',
    fix: 'check the names and the endpoint, or create it',
  },
  SLS_CURSOR_INVALID: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 5,
    summary: 'A cursor is outside what the shard holds, usually because its data has expired.',
    fix: 'get a new cursor, and accept the gap',
  },
  SLS_TOO_LARGE: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'A body is over a limit of the log service, or of this client.',
    fix: 'send or ask for less at a time',
  },
  SLS_CONFLICT: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'What should be created exists already.',
    fix: 'use it as it is, or choose another name',
  },
  SLS_NOT_OWNER: {
    class: 'SlsError',
    remedy: 'restart',
    exitCode: 1,
    summary: 'The consumer does not hold the shard, or its group does not know it any more.',
    fix: 'heartbeat again and go on with the shards of the answer',
  },
  SLS_REFUSED: {
    class: 'SlsError',
    remedy: 'stop',
    exitCode: 1,
    summary: 'The log service answers that the request can never succeed.',
    fix: 'correct what the message names',
  },
  SLS_ANSWER_INVALID: {
    class: 'SlsError',
    remedy: 'retry',
    exitCode: 1,
    summary: 'An answer of the log service is cut, damaged, or not what the protocol says. Nothing of it was used.',
    fix: 'look for a proxy between, and check the endpoint; the call is repeated with back-off',
  },
} as const satisfies Record<string, ErrorRow>
