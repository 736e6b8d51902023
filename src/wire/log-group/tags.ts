/** Tags of the fields, with their wire types (SLS protocol paper, section 3.1). */
export const listGroupTag = 0x0a
export const groupLogTag = 0x0a
export const groupTopicTag = 0x1a
export const groupSourceTag = 0x22
export const groupMachineUuidTag = 0x2a
export const groupTagTag = 0x32
export const logTimeTag = 0x08
export const logContentTag = 0x12
export const logTimeNsTag = 0x25
/** Of a content and of a tag. */
export const keyTag = 0x0a
export const valueTag = 0x12
