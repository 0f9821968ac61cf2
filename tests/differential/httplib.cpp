// A server on cpp-httplib that says what it reads of a form, as whisper.cpp's does: each item as a line of its name,
// its file name ("-" for a text field) and its contents, in hexadecimal digits.  It prints its port.
#include <httplib.h>

#include <cstdio>
#include <string>

static std::string hex(const std::string &text) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "x";
  for (unsigned char code : text) {
    out += digits[code >> 4];
    out += digits[code & 15];
  }
  return out;
}

static std::string line(const std::string &name, const std::string *filename, const std::string &content) {
  return hex(name) + " " + (filename ? hex(*filename) : "-") + " " + hex(content) + "\n";
}

// Newer releases keep fields and files apart, older ones have one list.
template <class R> static auto items(const R &request, int) -> decltype(request.form.fields, std::string()) {
  std::string out;
  for (auto &each : request.form.fields) out += line(each.second.name, nullptr, each.second.content);
  for (auto &each : request.form.files) out += line(each.second.name, &each.second.filename, each.second.content);
  return out;
}

template <class R> static auto items(const R &request, long) -> decltype(request.files, std::string()) {
  std::string out;
  for (auto &each : request.files) {
    auto &item = each.second;
    out += line(item.name, item.filename.empty() ? nullptr : &item.filename, item.content);
  }
  return out;
}

int main() {
  httplib::Server server;
  server.Post("/", [](const httplib::Request &request, httplib::Response &response) {
    response.set_content(items(request, 0), "text/plain");
  });
  int port = server.bind_to_any_port("127.0.0.1");
  std::printf("port %d\n", port);
  std::fflush(stdout);
  server.listen_after_bind();
}
