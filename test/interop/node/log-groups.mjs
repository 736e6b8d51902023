/** LogGroups by the schema that @alicloud/log brings: it has the reserved field, tags and nanoseconds. */
import { join } from 'node:path'
import { load } from './driver.mjs'

const protobuf = load('protobufjs')
const schema = protobuf.loadSync(join(load.resolve('@alicloud/log'), '..', 'lib', 'sls.proto'))
const LogGroup = schema.lookupType('sls.LogGroup')
const LogGroupList = schema.lookupType('sls.LogGroupList')

export const seconds = () => Math.floor(Date.now() / 1000)

/** One log with the given fields. */
export const groupOf = (fields, more = {}) => ({
  Logs: [{ Time: seconds(), Contents: Object.entries(fields).map(([Key, Value]) => ({ Key, Value })) }],
  ...more,
})

export const encodeGroup = (group) => Buffer.from(LogGroup.encode(LogGroup.create(group)).finish())

export const decodeGroups = (bytes) => LogGroupList.toObject(LogGroupList.decode(bytes)).logGroupList ?? []

/** The bytes of each group of a list, as they are. */
export const sliceGroups = (bytes) => {
  const reader = protobuf.Reader.create(bytes)
  const slices = []
  while (reader.pos < reader.len) {
    reader.uint32()
    slices.push(Buffer.from(reader.bytes()))
  }
  return slices
}

export const fieldsOf = (group) =>
  (group.Logs ?? []).map((log) => Object.fromEntries((log.Contents ?? []).map(({ Key, Value }) => [Key, Value])))
