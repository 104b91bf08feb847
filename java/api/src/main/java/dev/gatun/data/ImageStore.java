package dev.gatun.data;

import java.util.Objects;

/// Images of one shape in memory, in several arrays so that the whole may exceed 2 GiB.
///
/// Arrays are made when their first image comes: a file that announces more images than it has does
/// not take their memory. Several threads may write different images; reading begins after that.
final class ImageStore {
  private static final int CHUNK_BYTES = 1 << 24;

  private final ImageShape shape;
  private final int count;
  private final int imagesPerChunk;
  private final byte[][] chunks;

  ImageStore(ImageShape shape, int count) {
    this.shape = shape;
    this.count = count;
    this.imagesPerChunk = Math.max(1, CHUNK_BYTES / shape.elements());
    this.chunks = new byte[Math.ceilDiv(count, imagesPerChunk)][];
  }

  ImageShape shape() {
    return shape;
  }

  int count() {
    return count;
  }

  /// The array to write image `index` to, from [#offset] on.
  synchronized byte[] writable(int index) {
    int number = Objects.checkIndex(index, count) / imagesPerChunk;
    if (chunks[number] == null) {
      int images = Math.min(imagesPerChunk, count - number * imagesPerChunk);
      chunks[number] = new byte[images * shape.elements()];
    }
    return chunks[number];
  }

  int offset(int index) {
    return index % imagesPerChunk * shape.elements();
  }

  void read(int index, byte[] target, int offset) {
    byte[] chunk = chunks[Objects.checkIndex(index, count) / imagesPerChunk];
    System.arraycopy(chunk, offset(index), target, offset, shape.elements());
  }
}
