//! What is read of caffe.proto (BVLC Caffe 1.0): weights by layer. All other
//! fields are skipped, the old gradients (`diff`) among them.

/// A tensor; until 2014 of exactly four axes.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(super) struct BlobProto {
    #[prost(int32, optional, tag = "1")]
    pub num: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    pub channels: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    pub height: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub width: Option<i32>,
    // Written packed; the decoder takes both forms.
    #[prost(float, repeated, tag = "5")]
    pub data: Vec<f32>,
    #[prost(message, optional, tag = "7")]
    pub shape: Option<BlobShape>,
    #[prost(double, repeated, tag = "8")]
    pub double_data: Vec<f64>,
}

#[derive(Clone, PartialEq, ::prost::Message)]
pub(super) struct BlobShape {
    #[prost(int64, repeated, tag = "1")]
    pub dim: Vec<i64>,
}

#[derive(Clone, PartialEq, ::prost::Message)]
pub(super) struct LayerParameter {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "7")]
    pub blobs: Vec<BlobProto>,
}

#[derive(Clone, PartialEq, ::prost::Message)]
pub(super) struct V1LayerParameter {
    #[prost(string, tag = "4")]
    pub name: String,
    #[prost(message, repeated, tag = "6")]
    pub blobs: Vec<BlobProto>,
}
