"""What is in the files of a package: protobuf, the schema, the weight file, programs, features."""
