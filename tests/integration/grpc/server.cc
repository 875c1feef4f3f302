// A gRPC server as a function: listens on $PORT without TLS.
#include <grpcpp/grpcpp.h>

#include <cstdlib>

#include "chat.grpc.pb.h"

namespace {

using grpc::ServerContext;
using grpc::Status;
using pilotlight::test::Message;

class Chat final : public pilotlight::test::Chat::Service {
  Status Echo(ServerContext* context, const Message* request, Message* reply) override {
    const auto given = context->client_metadata().find("x-given");
    if (given != context->client_metadata().end())
      context->AddTrailingMetadata("x-taken", std::string(given->second.data(), given->second.size()));
    *reply = *request;
    return Status::OK;
  }
  Status Collect(ServerContext*, grpc::ServerReader<Message>* reader, Message* reply) override {
    for (Message part; reader->Read(&part);) {
      reply->mutable_text()->append(part.text());
      reply->set_number(reply->number() + 1);
    }
    return Status::OK;
  }
  Status Count(ServerContext*, const Message* request, grpc::ServerWriter<Message>* writer) override {
    for (int i = 0; i < request->number(); ++i) {
      Message part;
      part.set_number(i);
      part.set_text(request->text());
      if (!writer->Write(part)) break;
    }
    return Status::OK;
  }
  Status Talk(ServerContext*, grpc::ServerReaderWriter<Message, Message>* stream) override {
    for (Message part; stream->Read(&part);) {
      part.set_number(part.number() + 1);
      stream->Write(part);
    }
    return Status::OK;
  }
  Status Refuse(ServerContext*, const Message* request, Message*) override {
    return Status(grpc::StatusCode::FAILED_PRECONDITION, request->text());
  }
};

}  // namespace

int main() {
  Chat service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("127.0.0.1:") + std::getenv("PORT"), grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  builder.BuildAndStart()->Wait();
}
