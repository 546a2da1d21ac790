// A client of Node's ws that talks to an echo server: ws_client.js URL [compressed]. Ends with 0 if
// all came back as it was sent, pings were answered, and the close was clean.
'use strict';
const assert = require('assert');
const crypto = require('crypto');
const { once } = require('events');
const WebSocket = require('ws');

const kSizes = [0, 1, 15, 16, 125, 126, 127, 1000, 65535, 65536, 300000];
const compressed = process.argv[3] === 'compressed';

function textOf(size) {
  return Array.from('plait \u20ac \u{1F600} '.repeat(size / 10 + 1)).slice(0, size).join('');
}

async function echoed(socket, data) {
  socket.send(data);
  const [back, isBinary] = await once(socket, 'message');
  assert.strictEqual(isBinary, Buffer.isBuffer(data));
  assert.ok(Buffer.from(data).equals(back), `a message of ${data.length} came back as another`);
}

async function main() {
  const socket = new WebSocket(process.argv[2], ['other', 'echo.v1'], {
    perMessageDeflate: compressed ? { threshold: 16 } : false,
  });
  await once(socket, 'open');
  assert.strictEqual(socket.protocol, 'echo.v1');
  assert.strictEqual(socket.extensions.includes('permessage-deflate'), compressed);
  for (const size of kSizes) {
    await echoed(socket, textOf(size));
    await echoed(socket, crypto.randomBytes(size));
    await echoed(socket, Buffer.alloc(size, 'a'));
  }
  // In parts, with a ping in between.
  const whole = once(socket, 'message');
  socket.send('one ', { fin: false });
  socket.ping('there?');
  socket.send('two', { fin: true });
  const [pong] = await once(socket, 'pong');
  assert.strictEqual(pong.toString(), 'there?');
  assert.strictEqual((await whole)[0].toString(), 'one two');
  // Many at once.
  const count = 1000;
  let received = 0;
  const all = new Promise((resolve) => {
    socket.on('message', (data) => {
      assert.strictEqual(data.toString(), `number ${received}`);
      if (++received === count) resolve();
    });
  });
  for (let n = 0; n < count; ++n) socket.send(`number ${n}`);
  await all;
  socket.close(4001, 'done');
  const [code] = await once(socket, 'close');
  assert.strictEqual(code, 4001);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
