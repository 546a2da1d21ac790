// An echo server of Node's ws: ws_server.js [compressed]. Prints its port; ends with its input.
'use strict';
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: process.argv[2] === 'compressed' ? { threshold: 16 } : false,
  handleProtocols: (protocols) => (protocols.has('echo.v1') ? 'echo.v1' : false),
});
server.on('listening', () => console.log(server.address().port));
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => {
    // Text "close CODE REASON" is told to close; all else is sent back, big messages in two parts.
    const said = isBinary ? null : /^close (\d+) (.*)$/s.exec(data.toString());
    if (said) return socket.close(Number(said[1]), said[2]);
    if (data.length < 1000) return socket.send(data, { binary: isBinary });
    socket.send(data.subarray(0, 500), { binary: isBinary, fin: false });
    socket.ping('between');
    socket.send(data.subarray(500), { binary: isBinary, fin: true });
  });
});
process.stdin.on('end', () => process.exit(0)).resume();
