/** Which names the service takes (SLS protocol paper, §1.1). */
export const isProjectName = (name: string): boolean =>
  name.length <= 128 && /^[0-9a-zA-Z](?:[0-9a-zA-Z_-]*[0-9a-zA-Z])?$/.test(name)
export const isLogstoreName = (name: string): boolean => /^[0-9a-z][0-9a-z_-]{0,78}[0-9a-z]$/.test(name)
export const isGroupName = (name: string): boolean => /^[0-9a-zA-Z_-]{1,128}$/.test(name)
