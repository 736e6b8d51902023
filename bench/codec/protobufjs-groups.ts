import protobuf from 'protobufjs'
import type { LogGroupInit } from '../../src/wire/index.ts'

/**
 * The messages in protobufjs. `setup` makes it generate encoders and decoders of the very code that its command line
 * writes into a static module: reflection plays no part once it is called.
 */
const { root } = protobuf.parse(`
  syntax = "proto2";
  message Content { required string Key = 1; required string Value = 2; }
  message Log { required uint32 Time = 1; repeated Content Contents = 2; optional fixed32 TimeNs = 4; }
  message LogTag { required string Key = 1; required string Value = 2; }
  message LogGroup {
    repeated Log Logs = 1; optional string Category = 2; optional string Topic = 3; optional string Source = 4;
    optional string MachineUUID = 5; repeated LogTag LogTags = 6;
  }
  message LogGroupList { repeated LogGroup LogGroups = 1; }
`)
for (const name of ['Content', 'Log', 'LogTag', 'LogGroup', 'LogGroupList']) root.lookupType(name).setup()

export const groupType: protobuf.Type = root.lookupType('LogGroup')
export const listType: protobuf.Type = root.lookupType('LogGroupList')

/** The same group as a message of protobufjs. */
export const groupMessage = ({ logs, topic, source, tags = [] }: LogGroupInit): protobuf.Message =>
  groupType.fromObject({
    Logs: logs.map(({ time, timeNs, contents }) => ({
      Time: time,
      TimeNs: timeNs,
      Contents: Object.entries(contents).map(([Key, Value]) => ({ Key, Value })),
    })),
    Topic: topic,
    Source: source,
    LogTags: tags.map(([Key, Value]) => ({ Key, Value })),
  })
