// A real gRPC client talks to a real gRPC server that is a function with `http.protocol: h2c`, from zero.
#include <grpcpp/grpcpp.h>

#include "chat.grpc.pb.h"
#include "tests/integration/fixture.h"

namespace pilotlight::test {
namespace {

class Grpc : public LocalTest {
 protected:
  void SetUp() override {
    local.addFile("chat/function.yaml",
                  "apiVersion: pilotlight.dev/v1alpha1\nkind: Function\nmetadata: {name: chat}\n"
                  "spec:\n  runtime: http\n  handler: [" PILOTLIGHT_GRPC_SERVER
                  "]\n  http: {protocol: h2c}\n"
                  "  concurrency: {perReplica: 1}\n  scale: {initial: 0, max: 1}\n");
    ASSERT_NO_FATAL_FAILURE(startWith({"chat"}));
    grpc::ChannelArguments arguments;
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "chat.default.localhost");
    chat = Chat::NewStub(
        grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(local.port()), grpc::InsecureChannelCredentials(), arguments));
  }

  static void limit(grpc::ClientContext& context) { context.set_deadline(std::chrono::system_clock::now() + 30s); }

  std::unique_ptr<Chat::Stub> chat;
};

TEST_F(Grpc, UnaryCallStartsTheFunctionAndCarriesMetadataAndTrailers) {
  grpc::ClientContext context;
  limit(context);
  context.AddMetadata("x-given", "yes");
  Message request, reply;
  request.set_text("hello");
  const grpc::Status status = chat->Echo(&context, request, &reply);
  ASSERT_TRUE(status.ok()) << status.error_code() << " " << status.error_message();
  EXPECT_EQ(reply.text(), "hello");
  const auto trailer = context.GetServerTrailingMetadata().find("x-taken");
  ASSERT_NE(trailer, context.GetServerTrailingMetadata().end());
  EXPECT_EQ(std::string(trailer->second.data(), trailer->second.size()), "yes");
  EXPECT_THAT(local.shims("chat"), SizeIs(1));
}

TEST_F(Grpc, ClientStreamArrivesWhole) {
  grpc::ClientContext context;
  limit(context);
  Message reply, part;
  part.set_text(std::string(1000, 'x'));
  const auto writer = chat->Collect(&context, &reply);
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(writer->Write(part));
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(reply.number(), 2000);
  EXPECT_EQ(reply.text().size(), 2'000'000u);
}

TEST_F(Grpc, ServerStreamArrivesWholeAndInOrder) {
  grpc::ClientContext context;
  limit(context);
  Message request, part;
  request.set_number(2000);
  request.set_text(std::string(1000, 'y'));
  const auto reader = chat->Count(&context, request);
  int next = 0;
  while (reader->Read(&part)) EXPECT_EQ(part.number(), next++);
  EXPECT_EQ(next, 2000);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(Grpc, BothSidesTalkInTurn) {
  grpc::ClientContext context;
  limit(context);
  const auto stream = chat->Talk(&context);
  Message part;
  for (int i = 0; i < 100; ++i) {
    part.set_number(i);
    ASSERT_TRUE(stream->Write(part));
    ASSERT_TRUE(stream->Read(&part)) << "each answer comes before the next question";
    EXPECT_EQ(part.number(), i + 1);
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&part));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(Grpc, StatusOfARefusedCallComesInTheTrailers) {
  grpc::ClientContext context;
  limit(context);
  Message request, reply;
  request.set_text("not now");
  const grpc::Status status = chat->Refuse(&context, request, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(status.error_message(), "not now");
}

TEST_F(Grpc, AClientThatCancelsFreesItsSlot) {
  grpc::ClientContext context;
  limit(context);
  const auto stream = chat->Talk(&context);
  Message part;
  ASSERT_TRUE(stream->Write(part));
  ASSERT_TRUE(stream->Read(&part));
  context.TryCancel();
  stream->Finish();
  grpc::ClientContext next;
  limit(next);
  Message reply;
  EXPECT_TRUE(chat->Echo(&next, part, &reply).ok());
}

TEST_F(Grpc, CallOfAnUnknownFunctionIsUnimplemented) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "nobody.default.localhost");
  const auto nobody =
      Chat::NewStub(grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(local.port()), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  limit(context);
  Message request, reply;
  EXPECT_EQ(nobody->Echo(&context, request, &reply).error_code(), grpc::StatusCode::UNIMPLEMENTED) << "HTTP 404";
}

}  // namespace
}  // namespace pilotlight::test
