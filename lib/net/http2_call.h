// One request of net::ClientPool over HTTP/2. Internal to lib/net.
#pragma once

#include "net/http2_client.h"
#include "net/http2_stream.h"

namespace pilotlight::net {

class ClientPool::Http2Connection::Stream final : public Http2Stream, public ClientCall {
 public:
  explicit Stream(Loop& loop) : Http2Stream(loop) {}
  /// Submits it; the stream's id, or an error of nghttp2.
  std::int32_t submit(Http2Connection& connection, const ClientRequest& request, ClientHandler& handler);
  bool headSent() const { return headBytes_ > 0; }
  void refuse();  // as not processed by the peer

  // ClientCall
  bool write(std::string_view data) override;
  using ClientCall::finish;
  void finish(std::span<const Header> trailers) override;
  void pauseBody() override { pause(); }
  void resumeBody() override { resume(); }
  void cancel() override;
  std::uint64_t bytesWritten() const override;

  // Http2Stream
  void clear() override;
  void beginFields() override;
  bool onField(nghttp2_rcbuf* name, nghttp2_rcbuf* value) override;
  void onFields(bool last) override;
  void onFieldsSent(std::size_t bytes) override;
  void onClosed(std::uint32_t error) override;
  void onCut() override;

 private:
  void onData(std::string_view part) override;
  void onDataEnd() override;
  void onAllSent() override {}
  void onDrained() override;

  void takeHead(bool last);
  void takeInterim();
  void fail(ClientFailure failure);

  Http2Connection* connection_ = nullptr;
  ClientHandler* handler_ = nullptr;
  BodyKind requestBody_ = BodyKind::none;
  bool toHead_ = false;
  bool reused_ = false;       // the connection has answered before
  bool headSeen_ = false;     // of the answer
  bool closed_ = false;       // as nghttp2 sees it
  bool unprocessed_ = false;  // the peer has said so
  bool hasLength_ = false;
  int interims_ = 0;
  std::unique_ptr<ResponseHead> head_;  // while it is read
  SectionSize headSize_;
  std::uint64_t headBytes_ = 0;   // of the request, in frames
  std::uint64_t sentBefore_ = 0;  // on the connection, before this request
  std::uint64_t receivedAtStart_ = 0;
};

}  // namespace pilotlight::net
