/* TCP echo, libuv. While a peer is slow to take its echo, nothing more is read from it. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { kReadMax = 16 * 1024 };

typedef struct {
  uv_tcp_t tcp;
  uv_write_t write;
  int paused;
  char buffer[kReadMax];
} Connection;

static void onRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* into);

static void onClosed(uv_handle_t* handle) { free(handle->data); }

static void closeConnection(Connection* c) {
  if (!uv_is_closing((uv_handle_t*)&c->tcp)) uv_close((uv_handle_t*)&c->tcp, onClosed);
}

static void onAllocate(uv_handle_t* handle, size_t suggested, uv_buf_t* into) {
  (void)suggested;
  Connection* c = handle->data;
  *into = uv_buf_init(c->buffer, sizeof c->buffer);
}

static void onWritten(uv_write_t* request, int status) {
  Connection* c = request->handle->data;
  if (status < 0) {
    closeConnection(c);
    return;
  }
  if (!c->paused) return;
  c->paused = 0;
  uv_read_start((uv_stream_t*)&c->tcp, onAllocate, onRead);
}

static void onRead(uv_stream_t* stream, ssize_t size, const uv_buf_t* into) {
  Connection* c = stream->data;
  if (size == 0) return;
  if (size < 0) {
    closeConnection(c);
    return;
  }
  uv_buf_t out = uv_buf_init(into->base, (unsigned)size);
  /* The usual case, all of it fits, needs no request and no second pass through the loop. */
  int written = uv_try_write(stream, &out, 1);
  if (written == (int)size) return;
  if (written < 0 && written != UV_EAGAIN) {
    closeConnection(c);
    return;
  }
  if (written < 0) written = 0;
  out = uv_buf_init(into->base + written, (unsigned)(size - written));
  c->paused = 1;
  uv_read_stop(stream);
  uv_write(&c->write, stream, &out, 1, onWritten);
}

static void onConnection(uv_stream_t* listener, int status) {
  if (status < 0) return;
  Connection* c = malloc(sizeof *c);
  c->paused = 0;
  uv_tcp_init(listener->loop, &c->tcp);
  c->tcp.data = c;
  if (uv_accept(listener, (uv_stream_t*)&c->tcp) != 0) {
    closeConnection(c);
    return;
  }
  uv_tcp_nodelay(&c->tcp, 1);
  uv_read_start((uv_stream_t*)&c->tcp, onAllocate, onRead);
}

int main(int argc, char** argv) {
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener;
  struct sockaddr_in address;
  int length = sizeof address;
  uv_tcp_init(loop, &listener);
  uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0, &address);
  int error = uv_tcp_bind(&listener, (const struct sockaddr*)&address, 0);
  if (error == 0) error = uv_listen((uv_stream_t*)&listener, 4096, onConnection);
  if (error != 0) {
    fprintf(stderr, "listen: %s\n", uv_strerror(error));
    return 1;
  }
  uv_tcp_getsockname(&listener, (struct sockaddr*)&address, &length);
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
