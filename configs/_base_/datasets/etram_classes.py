# The classes of eTraM, in the order of its ids, and which of them are small.
classes = ('pedestrian', 'car', 'bicycle', 'bus', 'motorbike', 'truck', 'tram', 'wheelchair')
small_classes = ('pedestrian', 'bicycle', 'motorbike')
