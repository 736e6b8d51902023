/** The fields of a log as an ordinary object: names to values. */
export type PlainFields = Record<string, string>

type FieldsClass = new () => PlainFields

/**
 * A class whose objects inherit nothing: a field may be called `__proto__` or `constructor`, and one that is not there is
 * undefined whatever it is called. Unlike objects made with a null prototype, V8 gives these a shape; and as each kind of
 * log has a class of its own, its objects get as much room inside as that kind needs.
 */
export const fieldsClass = (): FieldsClass => {
  class Fields {
    [name: string]: string

    constructor(never?: boolean) {
      if (never === true) {
        // V8 counts these, and leaves room for as many fields in the first objects; later ones get what those used.
        this['f00'] = this['f01'] = this['f02'] = this['f03'] = this['f04'] = this['f05'] = ''
        this['f06'] = this['f07'] = this['f08'] = this['f09'] = this['f10'] = this['f11'] = ''
        this['f12'] = this['f13'] = this['f14'] = this['f15'] = this['f16'] = this['f17'] = ''
        this['f18'] = this['f19'] = this['f20'] = this['f21'] = this['f22'] = this['f23'] = ''
      }
    }
  }
  Reflect.deleteProperty(Fields.prototype, 'constructor')
  Reflect.setPrototypeOf(Fields.prototype, null)
  Object.freeze(Fields.prototype)
  return Fields
}

/**
 * Sets a field for each name. Each of the first names has an assignment of its own: as long as logs of one kind are
 * decoded, it always sets the same property, and V8 makes it a plain store; a loop costs six times as much.
 */
export const setFields = (fields: PlainFields, names: readonly string[], values: readonly string[]): void => {
  const count = names.length
  let set = 0
  if (count >= 4) {
    fields[names[0] as string] = values[0] as string
    fields[names[1] as string] = values[1] as string
    fields[names[2] as string] = values[2] as string
    fields[names[3] as string] = values[3] as string
    set = 4
  }
  if (count >= 8) {
    fields[names[4] as string] = values[4] as string
    fields[names[5] as string] = values[5] as string
    fields[names[6] as string] = values[6] as string
    fields[names[7] as string] = values[7] as string
    set = 8
  }
  if (count >= 12) {
    fields[names[8] as string] = values[8] as string
    fields[names[9] as string] = values[9] as string
    fields[names[10] as string] = values[10] as string
    fields[names[11] as string] = values[11] as string
    set = 12
  }
  if (count >= 16) {
    fields[names[12] as string] = values[12] as string
    fields[names[13] as string] = values[13] as string
    fields[names[14] as string] = values[14] as string
    fields[names[15] as string] = values[15] as string
    set = 16
  }
  for (; set < count; set++) fields[names[set] as string] = values[set] as string
}
