/** A request as a command line that can be pasted into a POSIX shell. */

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** `description` as request.js gives it. The command waits for the finished job. */
export function curlLine(description) {
  const parts = [`curl ${quote(new URL(description.path, document.baseURI).href)}`, "-H 'Prefer: wait=60'"];
  if (description.json !== undefined) {
    parts.push("-H 'Content-Type: application/json'", `-d ${quote(description.json)}`);
  } else {
    parts.push(`-F ${quote(`image=@${description.file.name}`)}`);
    for (const [name, value] of description.fields) parts.push(`-F ${quote(`${name}=${value}`)}`);
  }
  return parts.join(" \\\n  ");
}
