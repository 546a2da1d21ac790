// HTTP hello, Node's own http module.
const server = require('http').createServer((request, response) => {
  response.writeHead(200, {'Content-Type': 'text/plain', 'Content-Length': 13});
  response.end('Hello, World!');
});
server.keepAliveTimeout = 0;
server.listen({host: '127.0.0.1', port: Number(process.argv[2] || 0), backlog: 4096}, () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
