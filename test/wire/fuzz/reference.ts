import protobuf from 'protobufjs'

/** The messages as the protocol paper has them, for protobufjs: what our codec is compared with. */
const schema = `
syntax = "proto2";
message Content { required string Key = 1; required string Value = 2; }
message Log { required uint32 Time = 1; repeated Content Contents = 2; optional fixed32 TimeNs = 4; }
message LogTag { required string Key = 1; required string Value = 2; }
message LogGroup {
  repeated Log Logs = 1; optional string Category = 2; optional string Topic = 3; optional string Source = 4;
  optional string MachineUUID = 5; repeated LogTag LogTags = 6;
}
message LogGroupList { repeated LogGroup LogGroups = 1; }
message SlsLogPackage { required bytes data = 1; optional int32 uncompress_size = 2; optional int32 compress_type = 3; }
message SlsLogPackageList { repeated SlsLogPackage packages = 1; }
`
const root = protobuf.parse(schema, { keepCase: true }).root

export interface ReferencePair {
  Key: string
  Value: string
}

export interface ReferenceLog {
  Time: number
  Contents?: ReferencePair[]
  TimeNs?: number
}

export interface ReferenceGroup {
  Logs?: ReferenceLog[]
  Topic?: string
  Source?: string
  MachineUUID?: string
  LogTags?: ReferencePair[]
}

interface Message<Value> {
  encode(value: Value): Uint8Array
  /** @throws Error for what protobufjs does not take. */
  decode(bytes: Uint8Array): Value
}

const message = <Value>(name: string): Message<Value> => {
  const type = root.lookupType(name)
  return {
    encode: (value) => type.encode(type.fromObject(value as object)).finish(),
    decode: (bytes) => type.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as unknown as Value,
  }
}

export const referenceGroup = message<ReferenceGroup>('LogGroup')
export const referenceList = message<{ LogGroups?: ReferenceGroup[] }>('LogGroupList')
export const referencePackages = message<{
  packages?: { data: Uint8Array; uncompress_size?: number; compress_type?: number }[]
}>('SlsLogPackageList')

/** A group as plain data, however it was read: to compare. */
export interface PlainGroup {
  readonly topic: string
  readonly source: string
  readonly machineUuid: string
  readonly tags: readonly (readonly [string, string])[]
  readonly logs: readonly PlainLog[]
}

export interface PlainLog {
  readonly time: number
  readonly timeNs: number | undefined
  readonly entries: readonly (readonly [string, string])[]
}

const pairs = (list: readonly ReferencePair[] = []): (readonly [string, string])[] =>
  list.map(({ Key, Value }) => [Key, Value] as const)

export const plainOfReference = (group: ReferenceGroup): PlainGroup => ({
  topic: group.Topic ?? '',
  source: group.Source ?? '',
  machineUuid: group.MachineUUID ?? '',
  tags: pairs(group.LogTags),
  logs: (group.Logs ?? []).map((log) => ({
    time: log.Time,
    timeNs: Object.hasOwn(log, 'TimeNs') ? log.TimeNs : undefined,
    entries: pairs(log.Contents),
  })),
})
