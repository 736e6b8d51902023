/**
 * The cases of the interop suite: the acceptance list of the protocol paper (§11), one row for each thing an SDK can be
 * asked to do. A driver reports every case of this table but those its own list leaves blank, and a blank says why, with
 * the section of the paper.
 */

/** A point of the acceptance list, §11 of the protocol paper. */
export type Point = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

export interface Case {
  readonly point: Point
  /** What holds when the case is green. */
  readonly sentence: string
}

export const points: Readonly<Record<Point, string>> = {
  1: 'Signatures and keys',
  2: 'Addresses, projects, logstores',
  3: 'Puts',
  4: 'Groups and cursors',
  5: 'Pulls',
  6: 'Shards',
  7: 'Consumer groups',
  8: 'Errors',
}

/** In the order of the matrix. A put counts as done when the stored group, read back, is the group that was sent. */
export const cases = {
  'auth-v1': { point: 1, sentence: 'A call signed by version 1 is answered' },
  'auth-v1-sts': { point: 1, sentence: 'A call signed by version 1 with a security token is answered' },
  'auth-v4': { point: 1, sentence: 'A call and a put signed by version 4 are answered' },
  'auth-v4-sts': { point: 1, sentence: 'A call signed by version 4 with a security token is answered' },
  'wrong-secret': { point: 1, sentence: 'A wrong secret gets 401 SignatureNotMatch' },
  'unknown-key': { point: 1, sentence: 'An unknown key gets 401 Unauthorized' },

  'host-with-port': { point: 2, sentence: 'Host: project.endpoint:port reaches the project' },
  'host-without-port': { point: 2, sentence: 'Host: project.endpoint, dialled at another port, reaches the project' },
  'absolute-form': {
    point: 2,
    sentence: 'A request target with scheme and host, as sent to a proxy, reaches the project',
  },
  'create-project': { point: 2, sentence: 'A project is created, and get shows its name and description' },
  'create-project-twice': { point: 2, sentence: 'Creating it again gets ProjectAlreadyExist' },
  'update-project': { point: 2, sentence: 'An update of the description shows in get' },
  'list-projects': { point: 2, sentence: 'The list of projects, asked of a bare host, has it' },
  'delete-project': { point: 2, sentence: 'A deleted project gets ProjectNotExist afterwards' },
  'create-logstore': { point: 2, sentence: 'A logstore is created, and get shows its ttl and shard count' },
  'create-logstore-twice': { point: 2, sentence: 'Creating it again gets LogStoreAlreadyExist' },
  'update-logstore': { point: 2, sentence: 'An update of the ttl shows in get' },
  'list-logstores': {
    point: 2,
    sentence: 'The list of logstores has it, and a name as filter, where the call takes one, finds it alone',
  },
  'delete-logstore': { point: 2, sentence: 'A deleted logstore gets LogStoreNotExist afterwards' },
  'index-crud': { point: 2, sentence: 'An index is created, read, updated and deleted' },

  'put-direct-lz4': { point: 3, sentence: 'POST /logstores/{logstore}, protobuf, lz4' },
  'put-direct-zstd': { point: 3, sentence: 'POST /logstores/{logstore}, protobuf, zstd' },
  'put-direct-identity': { point: 3, sentence: 'POST /logstores/{logstore}, protobuf, not compressed' },
  'put-lb-lz4': { point: 3, sentence: 'POST …/shards/lb, protobuf, lz4' },
  'put-lb-zstd': { point: 3, sentence: 'POST …/shards/lb, protobuf, zstd' },
  'put-lb-deflate': { point: 3, sentence: 'POST …/shards/lb, protobuf, deflate' },
  'put-lb-identity': { point: 3, sentence: 'POST …/shards/lb, protobuf, not compressed' },
  'put-route-lz4': { point: 3, sentence: 'POST …/shards/route, protobuf, lz4: the shard of the key has it' },
  'put-route-zstd': { point: 3, sentence: 'POST …/shards/route, protobuf, zstd: the shard of the key has it' },
  'put-route-deflate': { point: 3, sentence: 'POST …/shards/route, protobuf, deflate: the shard of the key has it' },
  'put-route-identity': {
    point: 3,
    sentence: 'POST …/shards/route, protobuf, not compressed: the shard of the key has it',
  },
  'put-json-lz4': { point: 3, sentence: 'A JSON body, lz4, reads back as the same log' },
  'put-json-deflate': { point: 3, sentence: 'A JSON body, deflate, reads back as the same log' },
  'put-json-identity': { point: 3, sentence: 'A JSON body, not compressed, reads back as the same log' },
  'put-batch-lz4': { point: 3, sentence: 'A batch of three groups, lz4 inside, is three groups' },
  'put-batch-zstd': { point: 3, sentence: 'A batch of three groups, zstd inside, is three groups' },
  'put-tags': { point: 3, sentence: 'Topic, source, tags and the nanosecond part of the time read back as sent' },
  'put-bytes': { point: 3, sentence: 'A value that is not UTF-8 reads back byte for byte' },
  'put-producer': { point: 3, sentence: 'The producer library delivers every log once' },
  'put-producer-hash': { point: 3, sentence: 'The producer library, given hash keys, fills the shards of those keys' },

  'count-groups': { point: 4, sentence: '25 puts are 25 groups' },
  'cursors-dense': { point: 4, sentence: 'Reading one group moves the cursor by exactly one' },
  'cursor-begin': { point: 4, sentence: 'The begin cursor reads the first group' },
  'cursor-end': { point: 4, sentence: 'The end cursor reads nothing, and then the next group' },
  'cursor-by-time': { point: 4, sentence: 'A cursor by time: the past gives begin, the future end' },
  'cursor-time': { point: 4, sentence: 'The time of a cursor is the time of its put, of the end cursor the present' },
  'previous-cursor-time': {
    point: 4,
    sentence: 'The call for the time before the end cursor gives the time of the last put',
  },
  'end-cursor': { point: 4, sentence: 'A pull with an end cursor stops before it' },

  'pull-lz4': { point: 5, sentence: 'A pull, lz4' },
  'pull-zstd': { point: 5, sentence: 'A pull, zstd' },
  'pull-deflate': { point: 5, sentence: 'A pull, deflate' },
  'pull-identity': { point: 5, sentence: 'A pull, not compressed' },
  'pull-empty': { point: 5, sentence: 'A pull at the end is empty and its next cursor is the one asked' },
  'pull-count': { point: 5, sentence: 'A pull of at most three groups gives three' },
  'pull-query': { point: 5, sentence: 'A pull with a query gives the matching logs only' },

  'list-shards': { point: 6, sentence: 'The shards of a new logstore have dense ids and split the key space' },
  split: { point: 6, sentence: 'A split answers old, new, new; the old one is read-only, ids go up' },
  'split-at-key': { point: 6, sentence: 'A split at a key has its border there' },
  'split-count': { point: 6, sentence: 'A split in three answers the old shard and three new ones' },
  merge: { point: 6, sentence: 'A merge answers new, old, old' },
  'read-only-readable': { point: 6, sentence: 'The shard that was split is still read to its end' },
  'read-only-end': { point: 6, sentence: 'The end cursor of the shard that was split stays the same text' },
  'delete-shard': { point: 6, sentence: 'A read-only shard is deleted' },

  'group-create': { point: 7, sentence: 'A consumer group is created' },
  'group-create-twice': { point: 7, sentence: 'Creating it again gets ConsumerGroupAlreadyExist' },
  'group-update': { point: 7, sentence: 'An update of timeout and order shows in the list' },
  'group-list': { point: 7, sentence: 'The list of groups has its name, timeout and order' },
  'group-delete': { point: 7, sentence: 'A deleted group is gone from the list' },
  heartbeat: { point: 7, sentence: 'The first heartbeat of the only consumer gets every shard' },
  'heartbeat-transfer': {
    point: 7,
    sentence: 'A second consumer gets a shard only after the first one has stopped listing it',
  },
  'heartbeat-expiry': { point: 7, sentence: 'The shards of a silent consumer go to the other one after the timeout' },
  'heartbeat-order': {
    point: 7,
    sentence: 'In an ordered group the children come after the parent is read to its end',
  },
  'checkpoint-empty': { point: 7, sentence: 'A new group lists an empty checkpoint for every shard' },
  'checkpoint-set': { point: 7, sentence: 'A forced checkpoint is read back, with its consumer and time' },
  'checkpoint-one-shard': { point: 7, sentence: 'The checkpoint of one shard is asked and answered alone' },
  'checkpoint-of-owner': {
    point: 7,
    sentence: 'An unforced checkpoint is taken from the owner of the shard and from nobody else',
  },
  'consumer-two-members': {
    point: 7,
    sentence: 'Two members of the consumer library share the shards and read everything',
  },
  'consumer-failover': {
    point: 7,
    sentence: 'When one member ends without a word, the other one reads on from its checkpoints',
  },
  'consumer-split': { point: 7, sentence: 'The consumer library reads the children of a shard split under way' },

  'unknown-project': { point: 8, sentence: 'An unknown project gets 404 ProjectNotExist' },
  'unknown-logstore': { point: 8, sentence: 'An unknown logstore gets 404 LogStoreNotExist' },
  'unknown-shard': { point: 8, sentence: 'An unknown shard gets ShardNotExist' },
  'unknown-group': { point: 8, sentence: 'An unknown consumer group gets ConsumerGroupNotExist' },
  'bad-cursor': { point: 8, sentence: 'A cut cursor gets ParameterInvalid' },
  'cursor-out-of-range': { point: 8, sentence: 'A cursor past the end gets InvalidCursor' },
  'error-parts': { point: 8, sentence: 'The exception has status, code, message and request id' },
} as const satisfies Readonly<Record<string, Case>>

export type CaseId = keyof typeof cases

export const caseIds = Object.keys(cases) as readonly CaseId[]

/** Why a driver leaves a case out, with the section of the protocol paper: `Node signs only v1 (§2.3)`. */
export type Blanks = Readonly<Partial<Record<CaseId, string | undefined>>>

/** The cases that a driver with these blanks has to report. */
export const requiredCases = (blanks: Blanks): readonly CaseId[] => caseIds.filter((id) => blanks[id] === undefined)

/** The same reason for every case whose id begins so. Later entries of an object win: `{ ...blanksOf('put-', why), 'put-tags': undefined }`. */
export const blanksOf = (beginning: string, why: string): Blanks =>
  Object.fromEntries(caseIds.filter((id) => id.startsWith(beginning)).map((id) => [id, why]))
