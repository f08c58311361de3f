// <script src="https://door.example/v1/touchstream.js" data-key="WRITE KEY"></script>, and on every page, for example:
// touchstream.page(); touchstream.track("Product Added", {sku: "mug", price: 9.5, currency: "EUR"}); touchstream.identify("7")
(() => {
  const script = document.currentScript, door = new URL("batch", script.src).href, writeKey = script.dataset.key
  const read = name => { try { return localStorage.getItem(name) || "" } catch { return "" } }
  const write = (name, value) => { try { localStorage.setItem(name, value) } catch { /* it is full, or forbidden */ } }
  const device = read("ts_device") || crypto.randomUUID(), queue = JSON.parse(read("ts_queue") || "[]")
  write("ts_device", device)
  let wait = 0, isBusy = false
  const body = calls => JSON.stringify({writeKey, sentAt: new Date().toISOString(), batch: calls})
  const send = async () => {
    if (isBusy || !queue.length) return
    isBusy = true
    const calls = queue.slice(0, 20), asked = {method: "POST", body: body(calls), keepalive: true}
    const {status} = await fetch(door, asked).catch(() => ({status: 0}))
    isBusy = false
    // what can never be accepted is let go; all else is sent again until it is, and counts once by its messageId
    const isDone = [202, 400, 403, 413].includes(status)
    if (isDone) { queue.splice(0, calls.length); write("ts_queue", JSON.stringify(queue)) }
    wait = isDone ? 0 : Math.min(2 * wait + 1000, 60000)
    setTimeout(send, wait * (.5 + Math.random()))
  }
  const call = (type, fields) => {
    const page = {url: location.href, path: location.pathname, referrer: document.referrer, title: document.title}
    const context = {page, locale: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone}
    const ids = {messageId: crypto.randomUUID(), anonymousId: device, userId: read("ts_user") || undefined}
    queue.push({type, ...ids, timestamp: new Date().toISOString(), context, ...fields})
    queue.splice(0, queue.length - 500)
    write("ts_queue", JSON.stringify(queue))
    send()
  }
  addEventListener("pagehide", () => queue.length && navigator.sendBeacon(door, body(queue.slice(0, 20))))
  window.touchstream = {page: (name, properties) => call("page", {name, properties}),
    track: (event, properties) => call("track", {event, properties}), reset: () => write("ts_user", ""),
    identify: (id, traits) => { write("ts_user", id); call("identify", {traits}) }}
  send()
})()
