// One request to net::Server over HTTP/2. Internal to lib/net.
#pragma once

#include <string>

#include "net/http2_server.h"
#include "net/http2_stream.h"

namespace pilotlight::net {

class Server::Http2Connection::Stream final : public Http2Stream, public Exchange {
 public:
  explicit Stream(Loop& loop) : Http2Stream(loop) {}
  void assign(Http2Connection& connection) { connection_ = &connection; }

  // Exchange
  const RequestHead& head() const override { return head_; }
  const Address& peer() const override { return connection_->peer(); }
  Loop& loop() override { return connection_->loop(); }
  Clock::time_point started() const override { return started_; }
  bool secure() const override { return connection_->secure(); }
  void pauseBody() override { pause(); }
  void resumeBody() override;
  bool bodyComplete() const override { return endDelivered(); }
  std::span<const Header> trailers() const override { return receivedTrailers(); }
  void sendContinue() override;
  void sendInterim(int status, std::span<const Header> headers) override;
  void sendHead(int status, std::string_view reason, std::span<const Header> headers, ResponseBody body) override;
  bool write(std::string_view data) override;
  using Exchange::finish;
  void finish(std::span<const Header> trailers) override;
  void abort() override;
  void closeAfter() override { closeAfter_ = true; }
  bool headSent() const override { return headSent_; }
  std::uint64_t bytesSent() const override { return responseBytes_; }
  std::uint64_t bytesReceived() const override { return receivedBytes_; }

  // Http2Stream
  void clear() override;
  void beginFields() override {}
  bool onField(nghttp2_rcbuf* name, nghttp2_rcbuf* value) override;
  void onFields(bool last) override;
  void onClosed(std::uint32_t error) override;
  void onCut() override { endExchange(false); }

 private:
  enum class State : std::uint8_t {
    head,     // the request's fields are read
    open,     // the application has it
    refused,  // answered by the server itself
    ended,
  };

  void onData(std::string_view part) override;
  void onDataEnd() override;
  void onAllSent() override;
  void onDrained() override;

  // http2_request.cc
  void refuse(int status);  // the first reason counts
  void takePseudo(std::string_view name, std::string_view value);
  void takeRegular(std::string_view name, std::string_view value);
  void readHead(bool last);
  void readTargetOf(bool connect);
  void readHost();

  void begin(bool last);
  void answerRefusal();
  bool answering() const { return state_ == State::open || state_ == State::refused; }
  bool tunnel() const { return response_.kind == BodyKind::tunnel; }
  void endExchange(bool complete);

  Http2Connection* connection_ = nullptr;
  State state_ = State::head;
  RequestHead head_;
  SectionSize headSize_;
  std::string_view authority_, hostField_, protocol_;
  bool hasLength_ = false;
  std::string cookies_;
  int refusal_ = 0;  // the status
  ExchangeHandler* handler_ = nullptr;
  Clock::time_point started_{};
  bool continueSent_ = false, headSent_ = false, closeAfter_ = false;
  ResponseBody response_;
  std::uint64_t responseBytes_ = 0;
};

}  // namespace pilotlight::net
